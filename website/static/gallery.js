// The gallery: a choice of functions by name, family and properties, in an order of one's own.
"use strict"

const gallery = document.querySelector("ul.gallery[data-filter]")
if (gallery) {
  const items = [...gallery.children]
  const element = (tag, attributes = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), attributes)
    made.append(...children)
    return made
  }
  const list = (item) => item.dataset.tags.split(";").filter(Boolean)
  const search = element("input", { type: "search", placeholder: "Name or words", ariaLabel: "Name or words" })
  const families = [...new Set(items.map((item) => item.dataset.family))]
  const family = element("select", { ariaLabel: "Family" }, element("option", { value: "" }, "all families"),
    ...families.map((name) => element("option", { value: name }, name)))
  const order = element("select", { ariaLabel: "Order" }, ...["by family", "by name", "by accuracy", "by time"].map((name) => element("option", {}, name)))
  const boxes = [...new Set(items.flatMap(list))].sort().map((tag) => element("input", { type: "checkbox", value: tag }))
  const count = element("output")
  const isShown = (item) => (!family.value || item.dataset.family === family.value)
    && item.textContent.toLowerCase().includes(search.value.toLowerCase())
    && boxes.every((box) => !box.checked || list(item).includes(box.value))
  const orders = [
    (a, b) => items.indexOf(a) - items.indexOf(b),
    (a, b) => a.dataset.name.localeCompare(b.dataset.name),
    (a, b) => Number(a.dataset.error || Infinity) - Number(b.dataset.error || Infinity),
    (a, b) => Number(a.dataset.time || Infinity) - Number(b.dataset.time || Infinity),
  ]
  const update = () => {
    gallery.append(...[...items].sort(orders[order.selectedIndex]))
    for (const item of items) item.hidden = !isShown(item)
    count.textContent = `${items.filter((item) => !item.hidden).length} of ${items.length}`
  }
  const form = element("form", { className: "controls" }, search, family, order,
    ...boxes.map((box) => element("label", {}, box, ` ${box.value}`)), count)
  form.addEventListener("input", update)
  form.addEventListener("submit", (event) => event.preventDefault())
  gallery.before(form)
  update()
}
