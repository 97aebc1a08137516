import type { IncomingMessage, ServerResponse } from 'node:http';
import helmet from 'helmet';

/*
 * The security headers of every response. An answer of the API is data: nothing in it may be run,
 * loaded or framed, should a browser ever take it for a page. Ruru is a page of scripts of its own
 * (an editor with workers, started by an inline script); it exists in development only. The page of
 * an analysis replaces the policy by its own, which allows one style sheet.
 */

const NOTHING = {
  defaultSrc: ["'none'"],
  baseUri: ["'none'"],
  formAction: ["'none'"],
  frameAncestors: ["'none'"],
};

const data = helmet({
  contentSecurityPolicy: { useDefaults: false, directives: NOTHING },
  referrerPolicy: { policy: 'no-referrer' },
});

const editor = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      ...NOTHING,
      scriptSrc: ["'self'", "'unsafe-inline'", 'blob:'],
      workerSrc: ["'self'", 'blob:'],
      styleSrc: ["'self'", "'unsafe-inline'"],
      fontSrc: ["'self'", 'data:'],
      imgSrc: ["'self'", 'data:'],
      connectSrc: ["'self'", 'ws:', 'wss:'],
    },
  },
  referrerPolicy: { policy: 'no-referrer' },
  // Served without TLS on the developer's machine.
  strictTransportSecurity: false,
});

/** Where Ruru is: that of the API, and that of the operator endpoint. */
const EDITOR = /^\/(operator\/?)?$|^\/(operator\/)?ruru-static\//;

/** Sets the headers; `withEditor`: Ruru is served at `/` and `/operator`. */
export function setSecurityHeaders(
  request: IncomingMessage,
  response: ServerResponse,
  withEditor: boolean,
): void {
  const path = request.url?.split('?')[0] ?? '';
  (withEditor && EDITOR.test(path) ? editor : data)(request, response, () => undefined);
}
