// A small network with the cards' own functions and slopes, in plain numbers. Node's tests use it as it is.
"use strict"

/** Return a generator of numbers between 0 and 1 (mulberry32), the same for the same seed. */
function makeRandom(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/** Return a standard normal number, by Box and Muller. */
function drawNormal(random) {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

/** Points of two classes in the plane, about within −1 and 1, by the name of their figure. */
const figures = {
  moons: (random, k, label) => {
    const angle = Math.PI * random(), noise = () => 0.08 * drawNormal(random)
    return label ? [0.5 - 0.65 * Math.cos(angle) - 0.15 + noise(), 0.25 - 0.65 * Math.sin(angle) + noise()]
      : [0.65 * Math.cos(angle) - 0.3 + noise(), 0.65 * Math.sin(angle) - 0.2 + noise()]
  },
  rings: (random, k, label) => {
    const angle = 2 * Math.PI * random(), size = (label ? 0.35 : 0.85) + 0.06 * drawNormal(random)
    return [size * Math.cos(angle), size * Math.sin(angle)]
  },
  squares: (random, k, label) => {
    const x = 2 * random() - 1, sign = label ? 1 : -1, y = (0.06 + 0.94 * random()) * (x < 0 ? -sign : sign)
    return [x + (x < 0 ? -0.04 : 0.04), y]
  },
  spirals: (random, k, label) => {
    const way = Math.sqrt(random()), angle = 3.4 * Math.PI * way + (label ? Math.PI : 0)
    return [0.95 * way * Math.cos(angle) + 0.02 * drawNormal(random), 0.95 * way * Math.sin(angle) + 0.02 * drawNormal(random)]
  },
}

/** Return points and labels 0 or 1. */
function drawPoints(figure, count, seed) {
  const random = makeRandom(seed)
  return Array.from({ length: count }, (_, k) => ({ point: figures[figure](random, k, k % 2), label: k % 2 }))
}

/** Layers of weights with an activation between them; the last gives one number, the prediction. */
class Network {
  /** `start` scales the first weights: "He" by √(2 / inputs), "Xavier" by √(1 / inputs). */
  constructor({ depth, width, activation, loss, start, seed }) {
    const random = makeRandom(seed + 1)
    const sizes = [2, ...Array(depth).fill(width), 1]
    this.activation = slopes[activation]
    this.settings = this.activation.sliders.map((slider) => slider[1])
    this.loss = slopes[loss]
    this.options = this.loss.sliders.slice(1).map((slider) => slider[1])
    this.layers = sizes.slice(1).map((outputs, k) => {
      const spread = Math.sqrt((start === "He" ? 2 : 1) / sizes[k])
      return {
        weights: Array.from({ length: outputs }, () => Float64Array.from({ length: sizes[k] }, () => spread * drawNormal(random))),
        biases: new Float64Array(outputs),
      }
    })
    this.moments = null
    this.steps = 0
  }

  /** Return the target of a label, as the loss takes it. */
  target(label) {
    return this.loss.target === "sign" ? 2 * label - 1 : label
  }

  /** Return the prediction between the two classes. */
  get threshold() {
    return this.loss.target === "real" ? 0.5 : 0
  }

  /** Return inputs and slopes of each layer, and the prediction. */
  forward(point) {
    const inputs = [point], bends = []
    this.layers.forEach(({ weights, biases }, k) => {
      const given = inputs[k], isLast = k === this.layers.length - 1
      const results = new Float64Array(weights.length), slopesOf = new Float64Array(weights.length)
      weights.forEach((row, j) => {
        let sum = biases[j]
        for (let i = 0; i < row.length; i++) sum += row[i] * given[i]
        const [value, slope] = isLast ? [sum, 1] : this.activation.f(sum, ...this.settings)
        results[j] = value
        slopesOf[j] = slope
      })
      inputs.push(results)
      bends.push(slopesOf)
    })
    return { inputs, bends, prediction: inputs[inputs.length - 1][0] }
  }

  predict(point) {
    return this.forward(point).prediction
  }

  /** Return the mean loss of points, its gradients, and for each hidden layer the share of units that are flat at all points. */
  backward(points, flat = 1e-3) {
    const gradients = this.layers.map(({ weights }) => ({
      weights: weights.map((row) => new Float64Array(row.length)), biases: new Float64Array(weights.length),
    }))
    const steepest = this.layers.slice(0, -1).map(({ biases }) => new Float64Array(biases.length))
    let loss = 0, right = 0
    for (const { point, label } of points) {
      const { inputs, bends, prediction } = this.forward(point)
      const [value, slope] = this.loss.f(prediction, this.target(label), ...this.options)
      loss += value / points.length
      right += (prediction > this.threshold) === Boolean(label)
      let pulled = Float64Array.of(slope / points.length)
      for (let k = this.layers.length - 1; k >= 0; k--) {
        const { weights } = this.layers[k], below = new Float64Array(inputs[k].length)
        for (let j = 0; j < weights.length; j++) {
          if (k < steepest.length) steepest[k][j] = Math.max(steepest[k][j], Math.abs(bends[k][j]))
          const by = pulled[j] * bends[k][j]
          gradients[k].biases[j] += by
          for (let i = 0; i < below.length; i++) {
            gradients[k].weights[j][i] += by * inputs[k][i]
            below[i] += by * weights[j][i]
          }
        }
        pulled = below
      }
    }
    const dead = steepest.map((units) => units.filter((slope) => !(slope >= flat)).length / units.length)
    return { loss, accuracy: right / points.length, gradients, dead, sizes: gradients.map(measureGradient) }
  }

  /** Take a step of gradient descent, or of Adam; return what `backward` found before it. */
  step(points, rate, optimizer = "adam") {
    const found = this.backward(points)
    this.steps++
    this.moments ??= found.gradients.map((layer) => mapLayer(layer, () => 0)).map((first) => [first, mapLayer(first, () => 0)])
    this.layers.forEach((layer, k) => {
      const [first, second] = this.moments[k]
      forEachNumber(layer, (numbers, place, j) => {
        const slope = at(found.gradients[k], place)[j]
        if (optimizer === "sgd") return (numbers[j] -= rate * slope)
        const mean = at(first, place), square = at(second, place)
        mean[j] += 0.1 * (slope - mean[j])
        square[j] += 0.001 * (slope * slope - square[j])
        const corrected = Math.sqrt(square[j] / (1 - 0.999 ** this.steps)) + 1e-8
        numbers[j] -= (rate * mean[j]) / (1 - 0.9 ** this.steps) / corrected
      })
    })
    return found
  }
}

/** Return the array at a place of a layer: the biases, or a row of the weights. */
function at(layer, place) {
  return place < 0 ? layer.biases : layer.weights[place]
}

function forEachNumber(layer, act) {
  for (let place = -1; place < layer.weights.length; place++) {
    const numbers = at(layer, place)
    for (let j = 0; j < numbers.length; j++) act(numbers, place, j)
  }
}

function mapLayer(layer, make) {
  return { weights: layer.weights.map((row) => row.map(make)), biases: layer.biases.map(make) }
}

/** Return the root of the mean square of a layer's gradient. */
function measureGradient(layer) {
  let sum = 0, count = 0
  forEachNumber(layer, (numbers, place, j) => {
    sum += numbers[j] ** 2
    count++
  })
  return Math.sqrt(sum / count)
}
