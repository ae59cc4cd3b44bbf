/** What `work` comes to, or `otherwise` when it fails or takes longer: nobody waits beyond `ms`. */
export function within<T, U>(ms: number, work: Promise<T>, otherwise: U): Promise<T | U> {
  return new Promise((resolve) => {
    const give_up = () => resolve(otherwise)
    const timer = setTimeout(give_up, ms)
    work.then(resolve, give_up).finally(() => clearTimeout(timer))
  })
}
