// The reference: @tus/server with @tus/s3-store, as its documentation sets it up.
import { S3Store } from '@tus/s3-store'
import { Server } from '@tus/server'

const { S3_ENDPOINT, S3_BUCKET, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = process.env

const datastore = new S3Store({
  partSize: 8 * 1024 * 1024,
  // Garage keeps no tags.
  useTags: false,
  s3ClientConfig: {
    bucket: S3_BUCKET,
    endpoint: S3_ENDPOINT,
    region: AWS_REGION,
    forcePathStyle: true,
    credentials: { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY },
  },
})

const server = new Server({ path: '/files', datastore })
const listening = server.listen({ host: '127.0.0.1', port: 0 }, () => {
  console.log(JSON.stringify({ ready: `http://127.0.0.1:${listening.address().port}` }))
})
