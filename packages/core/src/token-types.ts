/** An access token, as a token exchange names it (RFC 8693 section 3). */
export const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token';

/** An ID token, as a token exchange names it (RFC 8693 section 3). */
export const idTokenType = 'urn:ietf:params:oauth:token-type:id_token';

/** An identity assertion (draft-ietf-oauth-identity-assertion-authz-grant section 3), short ID-JAG. */
export const identityAssertionType = 'urn:ietf:params:oauth:token-type:id-jag';
