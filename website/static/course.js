// Exercises of a chapter, which the page checks.
"use strict"

const NEAR = 0.01 // share of an answer by which it may be off, as it is rounded

/** Return the number that a text says, also as in "1/4"; NaN if it says none. */
function readNumber(text) {
  const [above, below = "1", ...more] = text.replace(/−/g, "-").split("/").map((part) => part.trim())
  return above && below && !more.length ? Number(above) / Number(below) : NaN
}

/** Return whether an answer is right: a number nearly, a name exactly. */
function isRight(given, wanted, isName) {
  if (isName) return given === wanted
  return Math.abs(readNumber(given) - readNumber(wanted)) <= NEAR * Math.abs(readNumber(wanted))
}

/** Ask for an answer in the place of an element that knows it. */
function ask(place) {
  const { answer, choices } = place.dataset, verdict = element("output", { role: "status" })
  const names = ["", ...choices.split(";").filter(Boolean)].map((name) => element("option", {}, name))
  const field = choices ? element("select", {}, ...names) : element("input", { size: 10, autocomplete: "off" })
  const form = element("form", { class: "controls" },
    element("label", {}, `${say("Answer")} `, field), element("button", {}, say("Check")), verdict)
  form.addEventListener("submit", (event) => {
    event.preventDefault()
    const isUnread = !choices && Number.isNaN(readNumber(field.value))
    verdict.textContent = say(isUnread ? "A number, please." : isRight(field.value, answer, choices) ? "Right." : "Not yet.")
  })
  field.addEventListener("input", () => (verdict.textContent = ""))
  place.append(form)
}

if (typeof document !== "undefined") document.querySelectorAll(".exercise .answer").forEach(ask)
