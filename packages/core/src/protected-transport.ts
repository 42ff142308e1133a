/** Whether plain HTTP to this URL stays on this machine. */
export function isLoopback({ hostname }: URL): boolean {
  // As a URL parser leaves it: IPv4 in dotted decimal form, IPv6 compressed and in brackets.
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}

/** Whether credentials may go there (RFC 6750 section 5.3): TLS, or plain HTTP that stays on this machine. */
export function isProtectedTransport(url: URL): boolean {
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url));
}
