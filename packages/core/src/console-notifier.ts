import type { Notifier } from './notifier.ts';

/** A notifier that prints one line: for development, and for logs that somebody watches. */
export function consoleNotifier(
  options: { readonly name?: string; readonly print?: (line: string) => void } = {},
): Notifier {
  const print = options.print ?? ((line: string): void => console.info(line));
  return {
    name: options.name ?? 'console',
    notify({ taskId, pauseId, agent, roles, reason, call, step, steps }) {
      const what = call === undefined ? 'paused by the app' : `${call.toolName} (${call.effect})`;
      const why = reason.reason === undefined ? reason.code : `${reason.code}: ${reason.reason}`;
      const place = steps > 1 ? `, step ${step} of ${steps}` : '';
      print(
        `outlive: task ${taskId} of ${agent} waits for ${roles.join(' and ')}${place}: ${what}, ${why}; pause ${pauseId}`,
      );
    },
  };
}
