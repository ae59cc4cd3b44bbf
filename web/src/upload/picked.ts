// Films on their way to the upload page.

/** Straight from the camera: perhaps kept nowhere else on the phone. */
const from_camera = new WeakSet<Blob>()
export const isFilmed = (file: Blob) => from_camera.has(file)

/** `opened_at`: when the camera or the album was opened; what is newer was filmed there, also where she chose an album. */
export function noteWhence(file: File, is_camera: boolean, opened_at: number) {
  if (is_camera || (opened_at > 0 && file.lastModified >= opened_at)) from_camera.add(file)
}

/** The one she took on another page. */
let file: File | null = null
export function hand(picked: File) {
  file = picked
}
export function take(): File | null {
  const taken = file
  file = null
  return taken
}
