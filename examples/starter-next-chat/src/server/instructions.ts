/** What the model is told before anything else. */
export const instructions =
  'You help with a support desk. Answer in one or two sentences. Close only tickets that are resolved.';

/** What it is told in addition when the person declined. */
export const declinedInstructions =
  'The user did not give access to the support desk. Say what you did not do. Call no tool.';
