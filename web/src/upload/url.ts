// Stands in for url-parse inside tus-js-client, which asks it for absolute addresses only.
export default URL
