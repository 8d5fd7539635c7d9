// Predictions in the attack lab: who refuses an attack, chosen before it is tried, and compared with who refused it.

/** What the user predicted on this card: "Presign", "S3", "Confirm" or "nobody"; undefined without a prediction. */
export function readPrediction(card) {
  return card.querySelector(".prediction :checked")?.value;
}

/** Show whether the prediction was right. An attack whose outcome is known can't be predicted. */
export function judge(card, outcome) {
  const { predicted, refusedBy } = outcome;
  card.querySelector(".prediction").disabled = isKnown(outcome) || outcome.verdict === "running";
  const words = predicted === refusedBy ? `Predicted: ${predicted}. That is right.` : `Predicted: ${predicted}. In fact: ${refusedBy}.`;
  card.querySelector(".judged").textContent = predicted && isKnown(outcome) ? words : "";
}

/** Count the right predictions among all outcomes. */
export function showScore(outcomes) {
  const judged = [...outcomes].filter((outcome) => outcome.predicted && isKnown(outcome));
  const right = judged.filter(({ predicted, refusedBy }) => predicted === refusedBy);
  document.querySelector("#score").textContent = judged.length ? `${right.length} of ${judged.length} predictions were right.` : "";
}

/** Whether the attack showed who refuses it. */
function isKnown({ verdict }) {
  return verdict === "refused" || verdict === "harmless";
}
