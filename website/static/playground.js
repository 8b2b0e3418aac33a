// The playground: several curves in one plot, errors of textbook forms, and a map of a loss. The view is in the address.
"use strict"

const COLOURS = 8
const FAMILIES = { activation: "Activations", gate: "Gates", map: "Rows of three: the first entry", loss: "Losses" }

/** Return the curves, span and axis that an address describes, as in "#f=gelu;elu(alpha=0.5)&x=-4,4&y=log". */
function readAddress(hash) {
  const parts = new URLSearchParams(hash.replace(/^#/, ""))
  const curves = []
  for (const text of (parts.get("f") ?? "").split(";")) {
    const [, name, settings] = /^(\w+)(?:\((.*)\))?$/.exec(text) ?? []
    if (!Object.hasOwn(slopes, name ?? "")) continue
    const given = Object.fromEntries((settings ?? "").split(",").map((pair) => pair.split("=")))
    const numbers = slopes[name].sliders.map(([key, standard]) => (Number.isFinite(+(given[key] || NaN)) ? +given[key] : standard))
    curves.push({ name, numbers })
  }
  const span = (parts.get("x") ?? "").split(",").map(Number)
  const isSpan = span.length === 2 && span.every(Number.isFinite) && span[0] < span[1]
  return { curves, span: isSpan ? span : null, isLogarithmic: parts.get("y") === "log" }
}

/** Return the address of a view. */
function writeAddress({ curves, view, isLogarithmic }) {
  const functions = curves.map(({ name, numbers }) => {
    const changed = slopes[name].sliders.flatMap(([key, standard], place) =>
      numbers[place] === standard ? [] : [`${key}=${+numbers[place].toPrecision(6)}`])
    return name + (changed.length ? `(${changed.join(",")})` : "")
  })
  const ends = view.map((end) => +end.toPrecision(4))
  return `#f=${functions.join(";")}&x=${ends.join(",")}${isLogarithmic ? "&y=log" : ""}`
}

/** The plot of a page with a choice of functions. */
class Playground extends Plot {
  constructor(page) {
    super(page.querySelector("figure"), [], [-4, 4])
    this.page = page
    this.first = this.figure.dataset.function.split(" ")
    delete this.figure.dataset.function // no plot of its own
    this.figure.querySelector("figcaption").remove() // each curve has a legend
    this.errors = new Plot(page.querySelector("figure.errors"), [], [-4, 4])
    this.errors.isLogarithmic = true
    this.map = page.querySelector("canvas")
    this.choice = element("select", { "aria-label": "Function to add" }, element("option", { value: "" }, "Add a function …"))
    for (const [family, label] of Object.entries(FAMILIES)) {
      const names = Object.keys(slopes).filter((name) => slopes[name].family === family)
      const options = names.map((name) => element("option", { value: name }, name))
      this.choice.append(element("optgroup", { label }, ...options))
    }
    this.choice.addEventListener("change", () => {
      if (this.choice.value) this.add(this.choice.value)
      this.choice.value = ""
    })
    this.controls.before(this.choice)
    this.addButtons()
    this.sets = element("div", { class: "sets" })
    this.controls.after(this.sets)
    addEventListener("hashchange", () => this.read())
    this.read()
  }

  read() {
    const { curves, span, isLogarithmic } = readAddress(location.hash)
    this.curves = []
    this.sets.replaceChildren()
    this.view = span ?? [...this.span]
    this.isLogarithmic = isLogarithmic
    this.controls.querySelector("input[type=checkbox]").checked = isLogarithmic
    if (!location.hash) curves.push(...this.first.map((name) => ({ name })))
    for (const { name, numbers } of curves) this.add(name, numbers)
    this.draw()
  }

  add(name, numbers) {
    const taken = new Set(this.curves.map((curve) => curve.colour))
    const colours = Array.from({ length: COLOURS }, (_, k) => `c${k}`)
    const curve = new Curve(name, colours.find((colour) => !taken.has(colour)) ?? "c0")
    if (numbers) curve.numbers = numbers
    this.curves.push(curve)
    const link = element("a", { href: `functions/${name}.html`, class: `key ${curve.colour}` }, name)
    const set = element("fieldset", {}, element("legend", {}, link))
    set.append(this.button("×", `Remove ${name}`, () => {
      this.curves = this.curves.filter((other) => other !== curve)
      set.remove()
      this.draw()
    }), ...this.sliders([curve]))
    this.sets.append(set)
    this.draw()
  }

  restart() {
    history.replaceState(null, "", location.pathname + location.search)
    this.read()
  }

  draw() {
    super.draw()
    if (!this.errors || !this.frame) return
    history.replaceState(null, "", writeAddress(this))
    this.drawErrors()
    this.drawMap()
  }

  drawErrors() {
    const shown = this.curves.filter((curve) => Object.keys(FORMS).some((form) => form in curve.function))
    this.errors.figure.hidden = !shown.length
    if (!shown.length) return
    this.errors.curves = shown.map((curve) => Object.assign(new ErrorCurve(curve.name, curve.colour), { numbers: curve.numbers }))
    this.errors.view = [...this.view]
    this.errors.draw()
  }

  /** Draw the values of a single loss over predictions and targets. */
  drawMap() {
    const loss = this.curves.length === 1 && this.curves[0].function.family === "loss" ? this.curves[0] : null
    const place = loss ? loss.function.sliders.findIndex(([name, , , , step]) => name === "target" && step < 2) : -1
    this.map.parentElement.hidden = place < 0
    if (place < 0) return
    const [, , least, greatest] = loss.function.sliders[place], size = this.map.width
    const values = new Float64Array(size * size), numbers = [...loss.numbers]
    for (let row = 0; row < size; row++) {
      numbers[place] = greatest - ((row + 0.5) / size) * (greatest - least)
      for (let column = 0; column < size; column++) {
        const x = this.view[0] + ((column + 0.5) / size) * (this.view[1] - this.view[0])
        values[row * size + column] = loss.function.f(x, ...numbers)[0]
      }
    }
    const sorted = values.filter(Number.isFinite).sort(), high = sorted[Math.floor(0.95 * (sorted.length - 1))]
    const context = this.map.getContext("2d"), image = context.createImageData(size, size)
    values.forEach((value, k) => image.data.set([...shade((value - sorted[0]) / (high - sorted[0] || 1)), Number.isNaN(value) ? 0 : 255], 4 * k))
    context.putImageData(image, 0, 0)
    const caption = `${loss.name}: prediction ${write(this.view[0])} to ${write(this.view[1])} across, target ${write(least)} to ${write(greatest)} up; `
    this.map.nextElementSibling.textContent = `${caption}dark is ${write(sorted[0])}, bright ${write(high)} and more.`
  }
}

/** Return a colour between dark blue and bright yellow. */
function shade(share) {
  const stops = [[33, 24, 78], [49, 104, 142], [53, 183, 121], [253, 231, 37]]
  const place = Math.min(Math.max(share || 0, 0), 1) * (stops.length - 1), first = Math.min(Math.floor(place), stops.length - 2)
  return stops[first].map((from, k) => Math.round(from + (place - first) * (stops[first + 1][k] - from)))
}

if (typeof document !== "undefined") {
  const page = document.querySelector("#playground")
  if (page) new Playground(page)
}
