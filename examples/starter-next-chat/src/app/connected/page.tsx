import { Suspense } from 'react';
import { ConnectedNotice } from '../../chat/connected-notice.tsx';

/** The end of the connect flow. */
export default function Page() {
  return (
    <Suspense>
      <ConnectedNotice />
    </Suspense>
  );
}
