/** The stream of what happened to one task. */
export function taskStream(taskId: string): string {
  return `task:${taskId}`;
}

/** The stream of what happened to one grant, whichever tasks use it. `grant` is the keyed hash of the grant's key. */
export function grantStream(grant: string): string {
  return `grant:${grant}`;
}

/** The stream of what gates said of one person, whichever tasks act for them. `principal` is the keyed hash. */
export function subjectStream(principal: string): string {
  return `subject:${principal}`;
}

/** The stream of what became of one gate source: when it fell silent, and when it answered again. */
export function holdStream(source: string): string {
  return `hold:${source}`;
}

/** The stream of what one directory said about people who could not be matched. */
export function signalStream(source: string): string {
  return `signal:${source}`;
}

/** The stream of one kill switch. */
export function switchStream(kind: string, name: string): string {
  return `switch:${kind}:${name}`;
}
