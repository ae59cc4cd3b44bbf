// The page that the browsers open: Uppy as its documentation shows it, without its own looks.
import AwsS3 from '@uppy/aws-s3'
import Uppy from '@uppy/core'
import GoldenRetriever from '@uppy/golden-retriever'
import Tus from '@uppy/tus'

/** Sends to the tus server behind this page, and brings back what an earlier run of the browser had chosen. */
window.tus = () => {
  const uppy = new Uppy({ id: 'films', autoProceed: true })
  uppy.use(Tus, { endpoint: '/api/v1/uploads', allowedMetaFields: ['filename', 'filetype', 'title'] })
  // Its own limit of 10 MiB would leave films out.
  uppy.use(GoldenRetriever, { indexedDB: { maxFileSize: 1 << 30 } })
  return watched(uppy)
}

/** Sends to a bucket in parts; the browser signs for itself. */
window.s3 = ({ endpoint, region, credentials, key }) => {
  const uppy = new Uppy({ autoProceed: true })
  uppy.use(AwsS3, {
    s3Endpoint: endpoint,
    region,
    getCredentials: () => ({ credentials, region }),
    shouldUseMultipart: (file) => file.size > (5 << 20),
    getChunkSize: () => 5 << 20,
    generateObjectKey: () => key,
  })
  return watched(uppy)
}

function watched(uppy) {
  const seen = { restored: false, done: null, error: null, parts: [] }
  uppy.on('restored', () => { seen.restored = true })
  uppy.on('upload-success', (file, answer) => { seen.done = answer.uploadURL })
  uppy.on('upload-error', (file, error) => { seen.error = String(error) })
  uppy.on('s3-multipart:part-uploaded', (file, part) => { seen.parts.push(part) })
  document.querySelector('input').onchange = ({ target }) => {
    for (const file of target.files) {
      uppy.addFile({ name: file.name, type: file.type, data: file, meta: { filename: file.name, filetype: file.type } })
    }
  }
  Object.assign(window, { uppy, seen })
}
