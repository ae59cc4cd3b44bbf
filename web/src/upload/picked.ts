/** The file she took on another page, on its way to the upload page. */
let file: File | null = null
export function hand(picked: File) {
  file = picked
}
export function take(): File | null {
  const taken = file
  file = null
  return taken
}
