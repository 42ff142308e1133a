/** How requests are sent that wait at the same moment. */
export interface GroupParts<Request, Answer> {
  /** What the request is about: of two about the same, the second waits for the answer of the first. */
  readonly keyOf: (request: Request) => string;
  /** Sends one by itself. Its time counts from `startedAt`, as `performance.now()` says it. */
  readonly alone: (request: Request, startedAt: number) => Promise<Answer>;
  /**
   * Sends several at once. Answers by key; what is missing there is sent alone. A rejection is the answer to all of them.
   */
  readonly together: (
    requests: readonly Request[],
    startedAt: number,
  ) => Promise<ReadonlyMap<string, Answer>>;
}

interface Waiting<Request, Answer> {
  readonly request: Request;
  readonly startedAt: number;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

const largestGroup = 64;
/** How long others wait for an answer that is on its way before they are sent without it: it may wait for a lock. */
const patienceMs = 50;

/**
 * Sends a request at once while nothing is on its way; what comes until the answer is there then goes together: the busier
 * the server, the larger the groups. Nobody waits for others to come.
 */
export function createGroups<Request, Answer>({
  keyOf,
  alone,
  together,
}: GroupParts<Request, Answer>): (request: Request) => Promise<Answer> {
  let waiting: Waiting<Request, Answer>[] = [];
  let isSending = false;
  /** What the requests are about that have no answer yet. */
  const underWay = new Set<string>();

  const sendAlone = ({ request, startedAt, resolve, reject }: Waiting<Request, Answer>) =>
    alone(request, startedAt).then(resolve, reject);

  const sendTogether = async (
    first: Waiting<Request, Answer>,
    group: readonly Waiting<Request, Answer>[],
  ): Promise<void> => {
    let answers: ReadonlyMap<string, Answer>;
    try {
      answers = await together(
        group.map(({ request }) => request),
        first.startedAt,
      );
    } catch (error) {
      for (const { reject } of group) reject(error);
      return;
    }
    for (const one of group) {
      const key = keyOf(one.request);
      // Where there is none, `has` tells it from an answer that is `undefined`.
      if (answers.has(key)) one.resolve(answers.get(key) as Answer);
      else void sendAlone(one);
    }
  };

  const takeGroup = (): readonly Waiting<Request, Answer>[] => {
    const group: Waiting<Request, Answer>[] = [];
    const left: Waiting<Request, Answer>[] = [];
    for (const one of waiting) {
      const key = keyOf(one.request);
      if (group.length < largestGroup && !underWay.has(key)) {
        underWay.add(key);
        group.push(one);
      } else left.push(one);
    }
    waiting = left;
    return group;
  };

  const drain = async (): Promise<void> => {
    if (isSending) return;
    isSending = true;
    for (;;) {
      const group = takeGroup();
      const [first, second] = group;
      if (first === undefined) break;
      await inPatience(second === undefined ? sendAlone(first) : sendTogether(first, group));
    }
    isSending = false;
  };

  return async (request) => {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    waiting.push({ request, startedAt: performance.now(), resolve, reject });
    void drain();
    try {
      return await promise;
    } finally {
      underWay.delete(keyOf(request));
      void drain();
    }
  };
}

function inPatience(work: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, patienceMs);
    void work.finally(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
