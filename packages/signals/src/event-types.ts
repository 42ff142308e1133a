/** The event types of CAEP 1.0, RISC 1.0, SSF 1.0 and OpenID Connect Back-Channel Logout 1.0, as URIs. */
export const eventTypes = {
  sessionRevoked: 'https://schemas.openid.net/secevent/caep/event-type/session-revoked',
  sessionEstablished: 'https://schemas.openid.net/secevent/caep/event-type/session-established',
  sessionPresented: 'https://schemas.openid.net/secevent/caep/event-type/session-presented',
  tokenClaimsChange: 'https://schemas.openid.net/secevent/caep/event-type/token-claims-change',
  credentialChange: 'https://schemas.openid.net/secevent/caep/event-type/credential-change',
  assuranceLevelChange:
    'https://schemas.openid.net/secevent/caep/event-type/assurance-level-change',
  deviceComplianceChange:
    'https://schemas.openid.net/secevent/caep/event-type/device-compliance-change',
  riskLevelChange: 'https://schemas.openid.net/secevent/caep/event-type/risk-level-change',
  accountDisabled: 'https://schemas.openid.net/secevent/risc/event-type/account-disabled',
  accountEnabled: 'https://schemas.openid.net/secevent/risc/event-type/account-enabled',
  accountPurged: 'https://schemas.openid.net/secevent/risc/event-type/account-purged',
  accountCredentialChangeRequired:
    'https://schemas.openid.net/secevent/risc/event-type/account-credential-change-required',
  credentialCompromise: 'https://schemas.openid.net/secevent/risc/event-type/credential-compromise',
  identifierChanged: 'https://schemas.openid.net/secevent/risc/event-type/identifier-changed',
  identifierRecycled: 'https://schemas.openid.net/secevent/risc/event-type/identifier-recycled',
  /** Deprecated by RISC 1.0 in favour of `sessionRevoked`; transmitters still send it. */
  sessionsRevoked: 'https://schemas.openid.net/secevent/risc/event-type/sessions-revoked',
  verification: 'https://schemas.openid.net/secevent/ssf/event-type/verification',
  streamUpdated: 'https://schemas.openid.net/secevent/ssf/event-type/stream-updated',
  backChannelLogout: 'http://schemas.openid.net/event/backchannel-logout',
} as const;
