// A look at her film before it goes: in under three seconds, on the phone alone, and whatever cannot be seen is left out.
import { picturesOf, type Pictures } from './frames'
import { isNoFilm, kindOf, type Kind } from './kind'
import { readMovie, type Movie } from './mp4'
import { within } from './patience'
import { loudest } from './sound'
import type { Seen } from './verdict'

/** What has been seen by then is said. */
const ENOUGH_MS = 2500
/** Then it is over, whatever still hangs: she is waiting to press the button. */
export const MOST_LOOK_MS = 3000

export interface Look extends Seen {
  kind: Kind
  poster: Blob | null
  /** This phone cannot show it; that says nothing about the film. */
  unseen: boolean
}

const UNSEEN: Look = { kind: 'unknown', duration_ms: null, sideways: null, picture: null, lights: [], sound: null, poster: null, unseen: true }

export const lookAt = (file: Blob): Promise<Look> => within(MOST_LOOK_MS, look(file), UNSEEN)

async function look(file: Blob): Promise<Look> {
  const kind = await kindOf(file)
  if (isNoFilm(kind)) return { ...UNSEEN, kind }
  const enough = new Promise<void>((resolve) => window.setTimeout(resolve, ENOUGH_MS))
  const url = URL.createObjectURL(file)
  let unseen = false
  const shown = picturesOf(url, enough).catch(() => ((unseen = true), null))
  void shown.finally(() => URL.revokeObjectURL(url))
  const read = readMovie(file)
  const [movie, pictures, sound] = await Promise.all([
    within(ENOUGH_MS, read, null),
    within(ENOUGH_MS + 200, shown, null),
    within(ENOUGH_MS, read.then((movie) => soundOf(file, movie)), null),
  ])
  return { kind, ...seenOf(movie, pictures), sound, poster: pictures?.poster ?? null, unseen }
}

/** The index knows best; where there is none, what the phone shows. */
function seenOf(movie: Movie | null, pictures: Pictures | null): Pick<Seen, 'duration_ms' | 'sideways' | 'picture' | 'lights'> {
  const width = movie?.width || pictures?.width
  const height = movie?.height || pictures?.height
  return {
    duration_ms: movie?.duration_ms || pictures?.duration_ms || null,
    sideways: width && height ? width > height : null,
    // A phone without the codec plays the sound alone: where there is an index, only that counts.
    picture: movie ? movie.width !== null : pictures && pictures.width !== null ? pictures.width > 0 : null,
    lights: pictures?.lights ?? [],
  }
}

async function soundOf(file: Blob, movie: Movie | null): Promise<Seen['sound']> {
  if (!movie || movie.width === null) return null
  if (!movie.has_sound) return 'none'
  return movie.aac && loudest(file, movie.aac)
}
