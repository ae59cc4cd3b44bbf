// The package ships types for its full build only; the light one has the same shape.
declare module 'hls.js/light' {
  export { default } from 'hls.js'
}
