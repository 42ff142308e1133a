/** What a route's handler knows of the caller. */
export interface RouteContext {
  readonly subject: string;
  /** Scopes of the presented token. */
  readonly scopes: readonly string[];
  /** Values of the `:name` segments of the route's path. */
  readonly params: Readonly<Record<string, string>>;
}

/** One protected operation. */
export interface ApiRoute {
  /** The token needs all of them. */
  readonly scopes: readonly string[];
  readonly handle: (request: Request, context: RouteContext) => Response | Promise<Response>;
}

/** Operations by method and path, for example `GET /tickets/:id`. */
export type ApiRoutes = Readonly<Record<string, ApiRoute>>;

/** The route that a request is for, and the parameters in its path. */
export interface MatchedRoute {
  readonly route: ApiRoute;
  readonly params: Readonly<Record<string, string>>;
}

/**
 * Compiles a route table; the first match wins.
 *
 * @throws {TypeError} when a key is no method and path.
 */
export function routeTable(
  routes: ApiRoutes,
): (method: string, path: string) => MatchedRoute | undefined {
  const table = Object.entries(routes).map(([key, route]) => {
    const [method, path, ...rest] = key.split(' ');
    if (!method || !path?.startsWith('/') || rest.length > 0) {
      throw new TypeError(`protected API: a route is named like 'GET /tickets/:id', not '${key}'`);
    }
    return { method, segments: path.split('/'), route };
  });
  return (method, path) => {
    const segments = path.split('/');
    for (const entry of table) {
      const params = entry.method === method ? match(entry.segments, segments) : undefined;
      if (params) return { route: entry.route, params };
    }
    return undefined;
  };
}

function match(
  pattern: readonly string[],
  segments: readonly string[],
): Record<string, string> | undefined {
  if (pattern.length !== segments.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, expected] of pattern.entries()) {
    const segment = segments[index] ?? '';
    if (expected.startsWith(':') && segment !== '')
      params[expected.slice(1)] = decodeURIComponent(segment);
    else if (expected !== segment) return undefined;
  }
  return params;
}
