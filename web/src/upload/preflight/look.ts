// A look at her film before it goes: in under three seconds, on the phone alone, and whatever cannot be seen is left out.
import { picturesOf, type Pictures } from './frames'
import { readMovie, type Movie } from './mp4'
import { loudest } from './sound'
import type { Seen } from './verdict'

const ENOUGH_MS = 2500

export interface Look extends Seen {
  poster: Blob | null
  /** This phone cannot show it; that says nothing about the film. */
  unseen: boolean
}

export async function lookAt(file: Blob): Promise<Look> {
  const enough = new Promise<void>((resolve) => window.setTimeout(resolve, ENOUGH_MS))
  const url = URL.createObjectURL(file)
  const inTime = <T>(work: Promise<T>): Promise<T | null> => Promise.race([work.catch(() => null), enough.then(() => null)])
  let unseen = false
  const shown = picturesOf(url, enough).catch(() => ((unseen = true), null))
  const read = readMovie(file)
  const sound = read.then((movie) => soundOf(file, movie))
  const [movie, pictures, heard] = await Promise.all([inTime(read), shown, inTime(sound)])
  URL.revokeObjectURL(url)
  return { ...seenOf(movie, pictures), sound: heard, poster: pictures?.poster ?? null, unseen }
}

/** The index knows best; where there is none, what the phone shows. */
function seenOf(movie: Movie | null, pictures: Pictures | null): Pick<Seen, 'duration_ms' | 'sideways' | 'lights'> {
  const width = movie?.width || pictures?.width
  const height = movie?.height || pictures?.height
  return {
    duration_ms: movie?.duration_ms || pictures?.duration_ms || null,
    sideways: width && height ? width > height : null,
    lights: pictures?.lights ?? [],
  }
}

async function soundOf(file: Blob, movie: Movie | null): Promise<Seen['sound']> {
  if (!movie || movie.width === null) return null
  if (!movie.has_sound) return 'none'
  return movie.aac && loudest(file, movie.aac)
}
