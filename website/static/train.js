// The trainer of a page: a small network that learns points in the plane, step by step, with the cards' own functions.
"use strict"

const TRAINING = {
  data: { label: "Data", values: Object.keys(figures), value: "moons" },
  activation: { label: "Activation", values: Object.keys(slopes).filter((name) => slopes[name].family === "activation"), value: "relu" },
  loss: { label: "Loss", values: Object.keys(slopes).filter((name) => slopes[name].target), value: "binary_cross_entropy" },
  depth: { label: "Hidden layers", values: [1, 2, 3, 4, 6, 8], value: 3 },
  width: { label: "Units a layer", values: [2, 4, 8, 16], value: 8 },
  start: { label: "First weights", values: ["He", "Xavier"], value: "He" },
  optimizer: { label: "Optimizer", values: ["adam", "sgd"], value: "adam" },
  rate: { label: "Learning rate", values: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1], value: 0.03 },
  seed: { label: "Seed", values: [1, 2, 3, 4, 5, 6, 7, 8], value: 1 },
}
const POINTS = 120, GRID = 56, SHOWN = 300 // losses that the curve shows

/** Return the choices that an address makes, as in "#activation=tanh&depth=8". */
function readChoices(hash) {
  const given = new URLSearchParams(hash.replace(/^#/, ""))
  return Object.fromEntries(Object.entries(TRAINING).map(([name, { values, value }]) =>
    [name, values.find((known) => String(known) === given.get(name)) ?? value]))
}

/** Return the address of choices: those that are not the first ones. */
function writeChoices(choices) {
  const changed = Object.entries(choices).filter(([name, value]) => value !== TRAINING[name].value)
  return `#${changed.map(([name, value]) => `${name}=${value}`).join("&")}`
}

class Trainer {
  constructor(page) {
    this.page = page
    const picture = say("The points, and the side that the network gives each part of the plane")
    page.innerHTML = `<div class="panes"><div><canvas width="336" height="336" role="img" aria-label="${picture}"></canvas>
      <output aria-live="off"></output></div><div><svg class="losses" viewBox="0 0 300 100" role="img"></svg>
      <table class="layers"><thead><tr><th>${say("layer")}</th><th>${say("gradient")}</th><th></th>
      <th>${say("flat units")}</th></tr></thead><tbody></tbody></table></div></div>`
    this.canvas = page.querySelector("canvas")
    this.summary = page.querySelector("output")
    this.losses = page.querySelector("svg.losses")
    this.rows = page.querySelector("tbody")
    this.form = element("div", { class: "controls" })
    this.selects = {}
    for (const [name, { label, values }] of Object.entries(TRAINING)) {
      const select = element("select", { name }, ...values.map((value) => element("option", { value }, String(value))))
      select.addEventListener("change", () => this.choose(name, values[select.selectedIndex]))
      this.selects[name] = select
      this.form.append(element("label", {}, `${say(label)} `, select))
    }
    const button = (text, act) => {
      const made = element("button", { type: "button" }, say(text))
      made.addEventListener("click", act)
      this.form.append(made)
      return made
    }
    this.runButton = button("Train", () => this.toggle())
    button("One step", () => this.advance(1))
    button("Start again", () => this.restart())
    page.prepend(this.form)
    addEventListener("hashchange", () => this.read())
    this.read()
  }

  read() {
    this.choices = readChoices(location.hash)
    for (const [name, select] of Object.entries(this.selects)) select.value = String(this.choices[name])
    this.restart()
  }

  choose(name, value) {
    this.choices[name] = value
    history.replaceState(null, "", writeChoices(this.choices))
    this.restart()
  }

  restart() {
    this.points = drawPoints(this.choices.data, POINTS, this.choices.seed)
    this.network = new Network(this.choices)
    this.history = []
    this.show(this.network.backward(this.points))
  }

  toggle() {
    this.isRunning = !this.isRunning
    this.runButton.textContent = say(this.isRunning ? "Pause" : "Train")
    if (this.isRunning) this.run()
  }

  /** Train for a part of each frame, so that the page stays alive. */
  run() {
    if (!this.isRunning) return
    const end = performance.now() + 12
    let steps = 0
    do steps += 1
    while (this.learn() && performance.now() < end && steps < 20)
    this.show(this.latest)
    requestAnimationFrame(() => this.run())
  }

  advance(steps) {
    for (let k = 0; k < steps; k++) this.learn()
    this.show(this.network.backward(this.points))
  }

  /** Take a step, and return whether the loss is a number. */
  learn() {
    this.latest = this.network.step(this.points, this.choices.rate, this.choices.optimizer)
    this.history.push(this.latest.loss)
    return Number.isFinite(this.latest.loss)
  }

  show(found) {
    const share = `${Math.round(100 * found.accuracy)} %`
    this.summary.textContent = `${say("Step")} ${this.network.steps}: ${say("loss")} ${write(found.loss)}, ${share} ${say("of the points right")}.`
    this.showBoundary()
    this.showLosses()
    this.showLayers(found)
  }

  showBoundary() {
    const context = this.canvas.getContext("2d"), size = this.canvas.width, cell = size / GRID
    const style = getComputedStyle(this.page)
    const colours = ["--c1", "--c0"].map((name) => style.getPropertyValue(name).trim())
    context.clearRect(0, 0, size, size)
    const place = (x) => ((x + 1.1) / 2.2) * size
    for (let row = 0; row < GRID; row++)
      for (let column = 0; column < GRID; column++) {
        const point = [(column + 0.5) / GRID * 2.2 - 1.1, 1.1 - (row + 0.5) / GRID * 2.2]
        const sure = this.network.predict(point) - this.network.threshold
        context.globalAlpha = 0.12 + 0.38 * Math.min(Math.abs(sure), 1)
        context.fillStyle = colours[+(sure > 0)]
        context.fillRect(column * cell, row * cell, cell, cell)
      }
    context.globalAlpha = 1
    for (const { point, label } of this.points) {
      context.fillStyle = colours[label]
      context.strokeStyle = style.getPropertyValue("--pst-color-background")
      context.beginPath()
      context.arc(place(point[0]), size - place(point[1]), 4, 0, 2 * Math.PI)
      context.fill()
      context.stroke()
    }
  }

  showLosses() {
    const every = Math.ceil(this.history.length / SHOWN) || 1
    const shown = this.history.filter((_, k) => k % every === 0).filter(Number.isFinite)
    const high = Math.max(...shown, 1e-9), low = Math.min(...shown, 0)
    const parts = shown.map((loss, k) => {
      const x = shown.length > 1 ? (k / (shown.length - 1)) * 296 + 2 : 2
      return `${k ? "L" : "M"}${x.toFixed(1)} ${(98 - ((loss - low) / (high - low)) * 94).toFixed(1)}`
    })
    this.losses.innerHTML = `<path class="grid" d="M2 98H298"/><path class="value c0" d="${parts.join("")}"/>`
    this.losses.setAttribute("aria-label", `${say("Loss")} (${this.history.length})`)
  }

  showLayers({ dead, sizes }) {
    const largest = Math.max(...sizes)
    this.rows.replaceChildren(...sizes.map((size, k) => {
      const name = k < dead.length ? `${say("hidden")} ${k + 1}` : say("output")
      const length = size > 0 ? Math.max(0, 100 + 20 * Math.log10(size / largest)) : 0 // five decades
      const bar = element("span", { class: "bar", style: `width: ${length.toFixed(0)}%` })
      const flat = k < dead.length ? `${Math.round(100 * dead[k])} %` : ""
      return element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, write(size, 2)),
        element("td", { class: "bars" }, bar), element("td", {}, flat))
    }))
  }
}

for (const page of document.querySelectorAll(".trainer")) new Trainer(page)
