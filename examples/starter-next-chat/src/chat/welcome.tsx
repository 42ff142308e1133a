interface WelcomeProps {
  ask(text: string): void;
}

const questions = ['What is open?', 'Close the tickets that are resolved'];

/** What an empty chat shows. */
export function Welcome({ ask }: WelcomeProps) {
  return (
    <section className="welcome">
      <h2>What can I do for you?</h2>
      <p>I read and close tickets in your support desk, in your name and with your consent.</p>
      <div className="questions">
        {questions.map((question) => (
          <button key={question} type="button" onClick={() => ask(question)}>
            {question}
          </button>
        ))}
      </div>
    </section>
  );
}
