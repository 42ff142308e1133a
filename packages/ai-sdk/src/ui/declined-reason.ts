/** What the model is told of a call that a person declined: safe words, the same wherever it was declined. */
export const declinedReason = 'The user declined to authorize this action.';
