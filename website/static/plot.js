// Interactive curves: a figure with data-function becomes a plot that the page computes with slopes.js.
"use strict"

const FLAT = 1e-3 // a slope below this passes next to nothing on
const NO_DIGIT = 2 ** 24 // units in the last place of a float32 result of which no digit is right

/** The words that scripts write, for pages in Chinese. */
const CHINESE = {
  "value": "值", "slope": "斜率", "Point at the curve, or use the arrow keys.": "指向曲线，或用方向键。",
  "Zoom out": "缩小", "Zoom in": "放大", "Reset": "重置", "Show the first view again": "回到最初的视图",
  "logarithmic": "对数坐标", "Sizes on a logarithmic axis, for the tails": "用对数坐标看尾部的大小",
  "Data": "数据", "Activation": "激活函数", "Loss": "损失函数", "Hidden layers": "隐藏层数", "Units a layer": "每层单元数",
  "First weights": "初始权重", "Optimizer": "优化器", "Learning rate": "学习率", "Seed": "随机种子",
  "Train": "训练", "Pause": "暂停", "One step": "走一步", "Start again": "重新开始",
  "layer": "层", "gradient": "梯度", "flat units": "平坦的单元", "hidden": "隐藏层", "output": "输出层",
  "The points, and the side that the network gives each part of the plane": "各个点，以及网络把平面各处分到哪一侧",
  "Step": "步数", "loss": "损失", "of the points right": "的点分对",
  "textbook": "课本公式", "PyTorch": "PyTorch", "Answer": "回答", "Check": "检查", "Right.": "答对了。", "Not yet.": "还不对。", "A number, please.": "请填一个数。",
}

/** Return words in the language of the page. */
function say(words) {
  const isChinese = typeof document !== "undefined" && document.documentElement.lang.startsWith("zh")
  return isChinese ? CHINESE[words] ?? words : words
}

/** Write a number in a few digits, with a true minus. */
function write(value, digits = 4) {
  if (Number.isNaN(value)) return "NaN"
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞"
  const size = Math.abs(value)
  const text = size && (size < 1e-3 || size >= 1e6) ? value.toExponential(digits - 1) : String(+value.toPrecision(digits))
  return text.replace(/-/g, "−").replace("e+", "e")
}

/** Return round numbers between two bounds, at most so many. */
function chooseTicks(low, high, most) {
  const unit = 10 ** Math.floor(Math.log10((high - low) / most))
  const step = unit * [1, 2, 5, 10, 20].find((factor) => (high - low) / (unit * factor) <= most)
  const ticks = []
  for (let k = Math.ceil(low / step - 1e-9); k <= high / step + 1e-9; k++) ticks.push(k * step)
  return ticks
}

/** Return an element with attributes and children. */
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  made.append(...children)
  return made
}

/** A curve of a function: its name, colour and the numbers of its sliders. */
class Curve {
  constructor(name, colour) {
    this.name = name
    this.colour = colour
    this.function = slopes[name]
    this.reset()
  }

  reset() {
    this.numbers = this.function.sliders.map((slider) => slider[1])
  }

  /** Return value and slope at x. */
  at(x) {
    return this.function.f(x, ...this.numbers)
  }

  /** Return the numbers at x in words. */
  describe(x) {
    const [value, slope] = this.at(x)
    return `${say("value")} ${write(value, 6)}, ${say("slope")} ${write(slope, 6)}`
  }
}

const FORMS = { textbook: "textbook", pytorch: "PyTorch" } // formulas that a function may have beside its own, in words

/** The errors of the textbook's formula and of PyTorch's, computed in float32, in units in the last place. */
class ErrorCurve extends Curve {
  at(x) {
    const numbers = [x, ...this.numbers].map(Math.fround), exact = this.function.f(...numbers)[0]
    return Object.keys(FORMS).map((form) => {
      const compute = this.function[form]
      if (!compute) return NaN
      const error = Math.abs(compute(...numbers) - exact) / stepOfFloat32(exact)
      return Number.isNaN(error) ? NO_DIGIT : Math.min(Math.max(error, 0.5), NO_DIGIT)
    })
  }

  describe(x) {
    const words = Object.values(FORMS), errors = this.at(x)
    return errors.flatMap((error, k) => (Number.isNaN(error) ? [] : [`${say(words[k])} ${write(error, 3)} ulp`])).join(", ")
  }
}

/** Return the distance of neighbouring float32 numbers near a number. */
function stepOfFloat32(value) {
  const size = Math.max(Math.abs(value), 2 ** -126)
  return size < Infinity ? 2 ** (Math.floor(Math.log2(size)) - 23) : Infinity
}

/** A plot in a figure, of one curve or several. */
class Plot {
  constructor(figure, curves, span) {
    this.figure = figure
    this.curves = curves
    this.span = span
    this.view = [...span]
    this.isLogarithmic = false
    this.cursor = null
    this.drawing = figure.querySelector("svg.curve")
    this.drawing.setAttribute("tabindex", "0")
    this.drawing.classList.add("live")
    this.readout = element("output", { class: "readout" })
    this.controls = element("div", { class: "controls" })
    this.drawing.after(this.readout, this.controls)
    this.listen()
    new ResizeObserver(() => this.draw()).observe(figure)
  }

  listen() {
    const drawing = this.drawing
    let held = null
    drawing.addEventListener("pointermove", (event) => {
      const x = this.numberAt(event)
      if (held) {
        const moved = ((held.at - event.clientX) / this.width()) * (held.view[1] - held.view[0])
        this.view = held.view.map((end) => end + moved)
      } else this.cursor = x
      this.draw()
    })
    drawing.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "mouse" && event.button) return
      held = { at: event.clientX, view: [...this.view] }
      drawing.setPointerCapture(event.pointerId)
    })
    const release = () => (held = null)
    drawing.addEventListener("pointerup", release)
    drawing.addEventListener("pointercancel", release)
    drawing.addEventListener("pointerleave", () => {
      if (document.activeElement !== drawing) this.moveCursor(null)
    })
    drawing.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return // a plain wheel scrolls the page
      event.preventDefault()
      this.zoom(event.deltaY > 0 ? 1.25 : 0.8, this.numberAt(event))
    }, { passive: false })
    drawing.addEventListener("focus", () => this.cursor ?? this.moveCursor((this.view[0] + this.view[1]) / 2))
    drawing.addEventListener("keydown", (event) => this.press(event))
  }

  press(event) {
    const step = (this.view[1] - this.view[0]) / (event.shiftKey ? 20 : 200)
    const moves = { ArrowLeft: -step, ArrowRight: step }
    if (event.key in moves) {
      const x = (this.cursor ?? (this.view[0] + this.view[1]) / 2) + moves[event.key]
      this.moveCursor(Math.min(Math.max(x, this.view[0]), this.view[1]))
    } else if (event.key === "+" || event.key === "=") this.zoom(0.8)
    else if (event.key === "-") this.zoom(1.25)
    else return
    event.preventDefault()
  }

  moveCursor(x) {
    this.cursor = x
    this.draw()
  }

  zoom(factor, centre = (this.view[0] + this.view[1]) / 2) {
    this.view = this.view.map((end) => centre + (end - centre) * factor)
    this.draw()
  }

  reset() {
    this.view = [...this.span]
    this.draw()
  }

  width() {
    return this.frame.right - this.frame.left
  }

  numberAt(event) {
    const place = (event.clientX - this.drawing.getBoundingClientRect().left - this.frame.left) / this.width()
    return this.view[0] + place * (this.view[1] - this.view[0])
  }

  /** Return values and slopes of each curve at each pixel. */
  sample() {
    const count = Math.max(Math.round(this.width()), 100)
    const x = Array.from({ length: count + 1 }, (_, k) => this.view[0] + (k / count) * (this.view[1] - this.view[0]))
    return this.curves.map((curve) => {
      const pairs = x.map((number) => curve.at(number))
      return { curve, x, value: pairs.map((pair) => pair[0]), slope: pairs.map((pair) => pair[1]) }
    })
  }

  /** Return the height of a number on the axis. */
  scale(y) {
    return this.isLogarithmic ? Math.log10(Math.abs(y)) : y
  }

  /** Return the bounds of the vertical axis: all of the curves, unless a few points would flatten the rest; logarithms do not. */
  limits(samples) {
    const heights = samples.flatMap(({ value, slope }) => [...value, ...slope].map((y) => this.scale(y)))
    const sorted = heights.filter(Number.isFinite).sort((a, b) => a - b)
    if (!sorted.length) return [-1, 1]
    const at = (share) => sorted[Math.round(share * (sorted.length - 1))]
    let [low, high] = [at(0), at(1)]
    const inner = at(0.95) - at(0.05)
    if (!this.isLogarithmic && high - low > 4 * inner && inner > 0) [low, high] = [Math.max(low, at(0.05)), Math.min(high, at(0.95))]
    const room = 0.06 * (high - low) || 0.5
    return [low - room, high + room]
  }

  draw() {
    const width = this.drawing.clientWidth, height = Math.round(Math.min(Math.max(width * 0.6, 220), 420))
    if (!width) return
    this.drawing.setAttribute("viewBox", `0 0 ${width} ${height}`)
    this.frame = { left: 52, right: width - 10, top: 12, bottom: height - 44 }
    const samples = this.sample(), [low, high] = this.limits(samples)
    const { left, right, top, bottom } = this.frame
    const across = (x) => left + ((x - this.view[0]) / (this.view[1] - this.view[0])) * (right - left)
    const down = (y) => bottom - ((y - low) / (high - low)) * (bottom - top)
    const parts = [this.drawFlatParts(samples, across), this.drawAxes(low, high, across, down)]
    parts.push(`<svg x="${left}" y="${top}" width="${right - left}" height="${bottom - top}"`)
    parts.push(` viewBox="${left} ${top} ${right - left} ${bottom - top}">`)
    for (const { curve, x, value, slope } of samples) {
      parts.push(`<path class="slope ${curve.colour}" d="${this.path(x, slope, across, down, bottom - top)}"/>`)
      parts.push(`<path class="value ${curve.colour}" d="${this.path(x, value, across, down, bottom - top)}"/>`)
    }
    parts.push("</svg>", this.drawCursor(across, down))
    this.drawing.innerHTML = parts.join("")
  }

  /** Return the path of a stroke, which is broken at jumps and where there is no number. */
  path(x, y, across, down, room) {
    const parts = []
    let before = NaN
    for (let k = 0; k < x.length; k++) {
      const place = down(this.scale(y[k]))
      if (Number.isNaN(place)) {
        before = NaN
        continue
      }
      const height = Math.min(Math.max(place, -room), 3 * room)
      parts.push(Math.abs(height - before) < room / 3 ? "L" : "M", across(x[k]).toFixed(1), " ", height.toFixed(1))
      before = height
    }
    return parts.join("")
  }

  drawAxes(low, high, across, down) {
    const { left, right, top, bottom } = this.frame, parts = []
    const alongX = chooseTicks(this.view[0], this.view[1], Math.max(4, Math.floor((right - left) / 60)))
    let alongY = chooseTicks(low, high, 6)
    if (this.isLogarithmic) alongY = alongY.filter(Number.isInteger)
    const lines = alongX.map((x) => `M${across(x)} ${top}V${bottom}`)
    lines.push(...alongY.map((y) => `M${left} ${down(y)}H${right}`))
    parts.push(`<path class="grid" d="${lines.join("")}"/>`)
    const zeros = []
    if (this.view[0] < 0 && this.view[1] > 0) zeros.push(`M${across(0)} ${top}V${bottom}`)
    if (low < 0 && high > 0 && !this.isLogarithmic) zeros.push(`M${left} ${down(0)}H${right}`)
    parts.push(`<path class="zero" d="${zeros.join("")}"/>`)
    for (const x of alongX)
      parts.push(`<text x="${across(x)}" y="${bottom + 18}" text-anchor="middle">${write(x)}</text>`)
    for (const y of alongY) {
      const text = this.isLogarithmic ? `1e${y}`.replace("-", "−") : write(y)
      parts.push(`<text x="${left - 6}" y="${down(y) + 4}" text-anchor="end">${text}</text>`)
    }
    parts.push(`<text x="${(left + right) / 2}" y="${bottom + 37}" text-anchor="middle">${this.figure.dataset.axis}</text>`)
    return parts.join("")
  }

  /** Shade the parts where a single curve is flat. */
  drawFlatParts(samples, across) {
    if (samples.length !== 1) return ""
    const { top, bottom } = this.frame, { x, slope } = samples[0], parts = []
    for (let k = 0, start = null; k <= x.length; k++) {
      const isFlat = k < x.length && Math.abs(slope[k]) < FLAT
      if (isFlat && start === null) start = k
      if (!isFlat && start !== null) {
        const from = across(x[start]), width = across(x[k - 1]) - from
        parts.push(`<rect class="flat" x="${from}" y="${top}" width="${width}" height="${bottom - top}"/>`)
        start = null
      }
    }
    return parts.join("")
  }

  /** Return the cursor's line and dots, and write its numbers. */
  drawCursor(across, down) {
    if (this.cursor === null) {
      this.readout.textContent = say("Point at the curve, or use the arrow keys.")
      return ""
    }
    const x = this.cursor, { top, bottom } = this.frame
    const parts = [`<path class="cursor" d="M${across(x)} ${top}V${bottom}"/>`]
    const lines = this.curves.map((curve) => {
      const [value, slope] = curve.at(x)
      for (const [kind, y] of [["slope", slope], ["value", value]]) {
        const height = down(this.scale(y))
        if (height >= top && height <= bottom)
          parts.push(`<circle class="${kind} ${curve.colour}" cx="${across(x)}" cy="${height}" r="4"/>`)
      }
      return (this.curves.length > 1 ? `${curve.name}: ` : "") + curve.describe(x)
    })
    this.readout.textContent = [`x = ${write(x)}`, ...lines].join("; ")
    return parts.join("")
  }

  button(text, label, act) {
    const made = element("button", { type: "button", "aria-label": label, title: label }, text)
    made.addEventListener("click", act)
    return made
  }

  addSliders() {
    this.controls.append(...this.sliders(this.curves))
  }

  /** Return a slider for each number of the curves; numbers of one name and range move together. */
  sliders(curves) {
    const rows = new Map()
    for (const curve of curves)
      curve.function.sliders.forEach((slider, place) => {
        const key = JSON.stringify(slider)
        if (!rows.has(key)) rows.set(key, { slider, held: [] })
        rows.get(key).held.push([curve, place])
      })
    return [...rows.values()].map(({ slider: [name, , least, greatest, step], held }) => {
      const [first, place] = held[0], owner = held.length < curves.length ? `${held.map(([curve]) => curve.name).join(", ")}: ` : ""
      const number = element("output", {}, write(first.numbers[place]))
      const slider = element("input", { type: "range", min: least, max: greatest, step })
      slider.value = first.numbers[place]
      slider.addEventListener("input", () => {
        for (const [curve, at] of held) curve.numbers[at] = +slider.value
        number.textContent = write(+slider.value)
        this.draw()
      })
      return element("label", { class: "slider" }, `${owner}${name} `, slider, " ", number)
    })
  }

  addButtons() {
    this.controls.append(
      this.button("−", say("Zoom out"), () => this.zoom(1.25)),
      this.button("+", say("Zoom in"), () => this.zoom(0.8)),
      this.button(say("Reset"), say("Show the first view again"), () => this.restart()),
      this.logarithm(),
    )
  }

  restart() {
    this.curves.forEach((curve) => curve.reset())
    this.controls.querySelectorAll("label.slider").forEach((row) => row.remove())
    this.addSliders()
    this.reset()
  }

  logarithm() {
    const box = element("input", { type: "checkbox" })
    box.addEventListener("change", () => {
      this.isLogarithmic = box.checked
      this.draw()
    })
    return element("label", { title: say("Sizes on a logarithmic axis, for the tails") }, box, ` ${say("logarithmic")}`)
  }
}

/** Make a figure live that names functions, or functions whose textbook forms' errors are shown. */
function enliven(figure) {
  const { errors, span } = figure.dataset, Kind = errors ? ErrorCurve : Curve
  const names = (errors ?? figure.dataset.function).split(" ").filter((name) => name in slopes)
  if (!names.length) return
  const curves = names.map((name, k) => new Kind(name, `c${k}`))
  const plot = new Plot(figure, curves, span.split(" ").map(Number))
  plot.addButtons()
  if (errors) plot.controls.querySelector("input").click() // sizes differ by many powers of ten
  plot.addSliders()
}

if (typeof document !== "undefined")
  addEventListener("DOMContentLoaded", () => // when all scripts have run, which may add functions
    document.querySelectorAll("figure.curve:is([data-function], [data-errors])").forEach(enliven))
