const caep = 'https://schemas.openid.net/secevent/caep/event-type/';
const risc = 'https://schemas.openid.net/secevent/risc/event-type/';
const ssf = 'https://schemas.openid.net/secevent/ssf/event-type/';

/** The event types of CAEP 1.0, RISC 1.0, SSF 1.0 and OpenID Connect Back-Channel Logout 1.0, as URIs. */
export const eventTypes = {
  sessionRevoked: `${caep}session-revoked`,
  sessionEstablished: `${caep}session-established`,
  sessionPresented: `${caep}session-presented`,
  tokenClaimsChange: `${caep}token-claims-change`,
  credentialChange: `${caep}credential-change`,
  assuranceLevelChange: `${caep}assurance-level-change`,
  deviceComplianceChange: `${caep}device-compliance-change`,
  riskLevelChange: `${caep}risk-level-change`,
  accountDisabled: `${risc}account-disabled`,
  accountEnabled: `${risc}account-enabled`,
  accountPurged: `${risc}account-purged`,
  accountCredentialChangeRequired: `${risc}account-credential-change-required`,
  credentialCompromise: `${risc}credential-compromise`,
  identifierChanged: `${risc}identifier-changed`,
  identifierRecycled: `${risc}identifier-recycled`,
  /** Deprecated by RISC 1.0 in favour of `sessionRevoked`; transmitters still send it. */
  sessionsRevoked: `${risc}sessions-revoked`,
  verification: `${ssf}verification`,
  streamUpdated: `${ssf}stream-updated`,
  backChannelLogout: 'http://schemas.openid.net/event/backchannel-logout',
} as const;
