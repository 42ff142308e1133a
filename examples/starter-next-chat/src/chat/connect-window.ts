const cameFromHere = 'connects-in-this-window';

/** Opens the connect flow in a small window of its own; in this one where the browser blocks that. */
export function openConnectWindow(chatId: string): void {
  const url = `/connect?chat=${chatId}`;
  if (window.open(url, 'connect', 'popup,width=460,height=640') !== null) return;
  sessionStorage.setItem(cameFromHere, 'yes');
  window.location.assign(url);
}

/** Whether the flow that ends in this window also began in it. */
export function beganInThisWindow(): boolean {
  return sessionStorage.getItem(cameFromHere) !== null;
}

/** Whether this page was left for the flow, and this is the way back. Asked once: a link to it says nothing. */
export function cameBackHere(): boolean {
  const began = beganInThisWindow();
  sessionStorage.removeItem(cameFromHere);
  return began;
}
