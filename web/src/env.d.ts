/// <reference types="vite/client" />

// The light build has the same interface but brings no types of its own.
declare module 'hls.js/light' {
  export { default } from 'hls.js'
}
