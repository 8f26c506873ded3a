// The tab that shows a photo on its way through the network. What it draws comes from page/inside.py.
window.flowerInside = (() => {
  const texts = window.flowerTexts;
  const MODEL = "model.py";
  const {fill} = flowerPage;
  const bytes = (text) => Uint8Array.from(atob(text), (it) => it.charCodeAt(0));
  let element = null, asked = 0, exciteAsked = 0, shown = null;

  const make = (tag, values = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), values);
    made.append(...children);
    return made;
  };

  // A small picture of bytes: gray from black to white, or red, green and blue.
  function picture(values, side, color) {
    const canvas = make("canvas", {width: side, height: side}), image = new ImageData(side, side);
    for (let at = 0; at < side * side; at++)
      for (let channel = 0; channel < 4; channel++)
        image.data[4 * at + channel] = channel === 3 ? 255 : values[color ? 3 * at + channel : at];
    canvas.getContext("2d").putImageData(image, 0, 0);
    return canvas;
  }

  function station(title, sentence, ...parts) {
    const section = make("section", {className: "station"}, make("h3", {textContent: title}), make("p", {textContent: sentence}));
    section.append(...parts);
    return section;
  }

  async function show() {
    if (!element) return;
    const number = ++asked, source = await flowerPage.current();
    if (number !== asked) return;
    if (!source) return (element.innerHTML = `<p class="why">${texts.inside_no_photo}</p>`);
    element.innerHTML = `<p class="why">${texts.looking}</p>`;
    let told = null;
    try {
      told = await flowerPage.ask("inside", source, "image/png", {});
    } catch (error) {
      return flowerPage.failed(show);
    }
    if (number !== asked) return;
    if (!told) return (element.innerHTML = `<p class="why">${texts.try_again}</p>`);
    flowerPage.found();
    shown = {source, told};
    draw(number);
  }

  function draw(number) {
    const {source, told} = shown, [first] = told.layers;
    const photo = make("div", {className: "seen"}, cut(middle(source, told.share), told.size, told.size), make("canvas", {className: "over", hidden: true}), make("i", {hidden: true}));
    const kernels = make("div", {className: "kernels"});
    const maps = new Map(first.maps.map(([channel, ...map]) => [channel, map]));
    told.kernels.forEach((kernel, index) => {
      const name = fill(texts.inside_kernel, {number: index + 1});
      const button = make("button", {type: "button", title: name, ariaLabel: name}, picture(bytes(kernel), 11, true));
      button.addEventListener("click", () => {
        if (lay(photo, first, ...maps.get(index), button)) excite(found, 0, index);
      });
      kernels.append(button);
    });
    const layers = told.layers.map((layer, at) => {
      const row = make("div", {className: "maps"});
      for (const [channel, grid, place] of layer.maps.slice(0, 12)) {
        const name = fill(texts.inside_map, {number: channel + 1, layer: at + 1});
        const button = make("button", {type: "button", title: name, ariaLabel: name}, picture(bytes(grid), layer.side));
        button.addEventListener("click", () => {
          if (lay(photo, layer, grid, place, button)) excite(exciting, at, channel);
        });
        button.addEventListener("pointermove", (event) => field(photo, layer, event, told.size));
        button.addEventListener("pointerleave", ({pointerType}) => { if (pointerType === "mouse") strongest(photo, told.size); });
        row.append(button);
      }
      const [channels, side] = layer.shape, exciting = make("div", {className: "exciting", ariaLive: "polite"});
      const after = layer.pooled ? [make("p", {className: "pooled", textContent: fill(at ? texts.inside_pooled_again : texts.inside_pooled, {side: layer.pooled})})] : [];
      return make("div", {}, make("p", {className: "size", textContent: fill(texts.inside_layer, {number: at + 1, channels, side, field: layer.field})}), row, exciting, ...after);
    });
    const found = make("div", {className: "exciting", ariaLive: "polite"});
    const alike = make("div", {className: "alike"}), strip = numbers(bytes(told.strip));
    const [all, active] = told.features;
    const story = make("div", {className: "story"},
      make("p", {className: "why", textContent: texts.inside_intro}),
      station(texts.inside_kernels, texts.inside_kernels_how, kernels, found, code(told.lines.kernels)),
      station(texts.inside_layers, texts.inside_layers_how, ...layers, code(told.lines.layers)),
      station(fill(texts.inside_features, {all}), fill(texts.inside_features_how, {all, active}), strip, make("p", {textContent: texts.inside_nearest}), alike, code(told.lines.features)),
      station(texts.inside_answers, texts.inside_spoke, spoke(told), make("p", {className: "then", textContent: fill(texts.inside_answers_how, {temperature: decimal(told.temperature, 3)})}), table(told)),
      station(texts.inside_break, texts.inside_break_how, breaking(source, told)));
    const how = `${source.example ? `${texts.inside_example} ` : ""}${fill(texts.inside_arrives_how, {size: told.size})}`;
    const arrives = make("aside", {}, make("h3", {textContent: texts.inside_arrives}), make("p", {textContent: how}), photo, make("p", {className: "size nowhere", role: "status"}));
    element.replaceChildren(arrives, story);
    nearest(alike, source, number);
  }

  // The lines that make it, and in a Space a link to where they stand.
  function code([at, lines]) {
    const words = fill(texts.inside_code, {file: MODEL, line: at}), folded = make("details", {className: "code"});
    folded.append(make("summary", {textContent: words}), make("pre", {textContent: lines}));
    if (shown.told.code) folded.append(make("a", {href: `${shown.told.code}#L${at}`, target: "_blank", rel: "noopener", textContent: MODEL}));
    return folded;
  }

  const decimal = (value, digits) => (Math.abs(value) < 0.5 / 10 ** digits ? 0 : value)
    .toLocaleString(document.documentElement.lang, {minimumFractionDigits: digits, maximumFractionDigits: digits}).replace("-", "−");
  const percent = (share) => share >= 0.995 ? ">99 %" : share < 0.005 ? "<1 %" : `${Math.round(100 * share)} %`;

  // What a network sees of a square, in which it may look at the middle alone.
  const middle = ({x, y, width, height, ...more}, share) => {
    const [left, top] = [(1 - share) / 2 * width, (1 - share) / 2 * height];
    return {...more, x: x + left, y: y + top, width: share * width, height: share * height};
  };

  // Put something over a picture, its edges in shares of the picture.
  function put(over, [left, top, right, bottom]) {
    for (const [key, value] of Object.entries({left, top, width: right - left, height: bottom - top})) over.style[key] = `${100 * value}%`;
  }

  // Lay a grid over a picture: its first place begins at a share of the picture, and all of it is as wide as another.
  const spread = (over, from, wide) => put(over, [from, from, from + wide, from + wide]);

  // The square as it is sent.
  function cut({image, x, y, width, height}, wide, high) {
    const canvas = make("canvas", {width: wide, height: high, className: "arrives"});
    canvas.setAttribute("role", "img");
    canvas.ariaLabel = texts.inside_arrives;
    canvas.getContext("2d").drawImage(image, x, y, width, height, 0, 0, wide, high);
    return canvas;
  }

  // Lay a map over the photo, with a box of what its strongest place has seen; a second press takes both away.
  function lay(photo, layer, grid, place, button) {
    const over = photo.querySelector(".over"), again = button.matches(".laid");
    for (const other of element.querySelectorAll(".laid")) other.classList.remove("laid");
    for (const other of element.querySelectorAll(".exciting")) other.replaceChildren();
    over.hidden = photo.querySelector("i").hidden = again;
    const values = bytes(grid), side = layer.side, most = Math.max(...values), size = shown.told.size;  // faint ones show where, too
    photo.laid = again || !most ? null : {layer, place};
    over.hidden ||= !most;
    element.querySelector(".nowhere").textContent = again || most ? "" : texts.inside_nowhere;
    if (again) return false;
    button.classList.add("laid");
    spread(over, (layer.start - layer.stride / 2) / size, layer.shape[1] * layer.stride / size);
    const rows = Array.from({length: side}, (_, row) => [...values.slice(row * side, (row + 1) * side)].map((it) => 255 * it / Math.max(1, most)));
    flowerPage.paint(over, rows);
    strongest(photo, size);
    return true;
  }

  // What a place of a map has seen of the photo, the place in shares of the map.
  function mark(photo, layer, across, down, size) {
    const places = layer.shape[1], frame = photo.querySelector("i");
    const at = (share) => Math.min(places - 1, Math.max(0, Math.floor(share * places)));
    const edges = (share) => {
      const corner = layer.start + at(share) * layer.stride - layer.field / 2;
      return [Math.max(0, corner), Math.min(size, corner + layer.field)];
    };
    const [left, right] = edges(across), [top, bottom] = edges(down);
    frame.hidden = false;
    put(frame, [left, top, right, bottom].map((edge) => edge / size));
  }

  function field(photo, layer, event, size) {
    const box = event.currentTarget.getBoundingClientRect();
    mark(photo, layer, (event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height, size);
  }

  // Where the map that lies over the photo is strongest; no box without one.
  function strongest(photo, size) {
    photo.querySelector("i").hidden = !photo.laid;
    if (!photo.laid) return;
    const {layer, place} = photo.laid, side = layer.shape[1];
    mark(photo, layer, (place % side + 0.5) / side, (Math.floor(place / side) + 0.5) / side, size);
  }

  // The gallery's photos in which a map finds most, each with what its place has seen.
  async function excite(place, layer, map) {
    const number = ++exciteAsked, model = shown.told.model;
    place.textContent = texts.looking;
    const response = await fetch(`inside?${new URLSearchParams({model, layer, map})}`).catch(() => null);
    if (number !== exciteAsked || !place.isConnected) return;
    const photos = response?.ok ? await response.json() : null;
    if (!photos) return (place.textContent = texts.try_again);
    const words = photos.length ? texts.inside_exciting : texts.inside_exciting_none;
    place.replaceChildren(make("p", {className: "size", textContent: words}), make("div", {className: "alike"}, ...photos.map(credited)));
  }

  function credited({address, label, name, by, at, box}) {
    const image = make("span", {className: "boxed"}, make("img", {src: address, alt: by ? `${name}. ${by}` : name, width: 112, height: 112}));
    if (box) {
      put(image.appendChild(make("i")), box);
    }
    const link = at ? make("a", {href: at, target: "_blank", rel: "noopener", title: by}, image) : image;
    return make("figure", {}, link, make("figcaption", {className: `name flower-${label}`, textContent: name}), make("small", {textContent: by}));
  }

  async function nearest(alike, source, number) {
    alike.textContent = texts.looking;
    const found = await flowerPage.ask("inside", source, "image/png", {alike: 1}).catch(() => null);
    if (number !== asked) return;
    if (!found?.length) return (alike.textContent = texts.inside_no_gallery);
    alike.replaceChildren(...found.map(credited));
  }

  // The numbers before the last layer as a strip: a square for each, the brighter the larger.
  function numbers(values) {
    const wide = 128, high = Math.ceil(values.length / wide), canvas = make("canvas", {width: wide, height: high, className: "strip-of"});
    const image = new ImageData(wide, high);
    for (let at = 0; at < wide * high; at++) image.data.set([...Array(3).fill(values[at] ? 70 + values[at] * 185 / 255 : 24), 255], 4 * at);
    canvas.getContext("2d").putImageData(image, 0, 0);
    canvas.setAttribute("role", "img");
    canvas.ariaLabel = texts.inside_strip;
    return canvas;
  }

  const rowOf = (head, className, cells) => make("tr", {}, make("th", {scope: "row", className, textContent: head}), ...cells.map((it) => make("td", {textContent: it})));

  function tableOf(heads, rows) {
    const head = make("tr", {}, ...heads.map(([textContent, className]) => make("th", {scope: "col", textContent, className: className ?? ""})));
    return make("div", {className: "scroll"}, make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows)));
  }

  const first = (told) => told.answers.map((answer, at) => [...answer, at]).sort((one, other) => other[2] - one[2]).slice(0, 8);

  // What the largest of the numbers add to the score of each name.
  function spoke(told) {
    const shownFirst = first(told).slice(0, 6), signed = (value) => (value >= 0.005 ? "+" : "") + decimal(value, 2);
    const rows = told.spoke.map(([at, value, added]) => rowOf(fill(texts.inside_number, {number: at + 1, value: decimal(value, 2)}), "", shownFirst.map(([, , , , label]) => signed(added[label]))));
    rows.push(rowOf(texts.inside_rest, "", shownFirst.map(([, , , , label]) => signed(told.rest[label]))));
    rows.push(rowOf(texts.inside_logit, "sum", shownFirst.map(([, , logit]) => decimal(logit, 2))));
    return tableOf([[""], ...shownFirst.map(([name, label]) => [name, `name flower-${label}`])], rows);
  }

  function table(told) {
    const rows = first(told).map(([name, label, logit, share]) => {
      const divided = logit / told.temperature;
      return rowOf(name, `name flower-${label}`, [decimal(logit, 2), decimal(divided, 2), Math.exp(divided) < 1000 ? decimal(Math.exp(divided), 2) : decimal(Math.exp(divided), 0), `${decimal(100 * share, 1)} %`]);
    });
    const made = tableOf(["", texts.inside_logit, texts.inside_divided, texts.inside_raised, texts.inside_share].map((it) => [it]), rows);
    if (told.known !== null) made.append(make("p", {className: "size", textContent: fill(texts.inside_known, {share: decimal(100 * told.known, 1)})}));
    return made;
  }

  // The photo, spoiled by hand; the bars follow.
  function breaking(source, told) {
    // As many pixels as are sent otherwise: untouched, it has the same answer.
    const scale = Math.min(1, 448 / source.width), wide = Math.round(source.width * scale), high = Math.round(source.height * scale);
    const size = Math.min(wide, high), canvas = cut(source, wide, high), bars = make("div", {className: "bars", role: "status"});
    const state = {...WHOLE};
    const kinds = [["blur", texts.inside_blur, 8], ["noise", texts.inside_noise, 100], ["dark", texts.inside_dark, 90], ["turn", texts.inside_turn, 180], ["jpeg", texts.inside_jpeg, 99]];
    const sliders = kinds.map(([key, name, max]) => {
      const input = make("input", {type: "range", min: 0, max, value: 0}), value = make("output", {textContent: "0"});
      input.addEventListener("input", () => { state[key] = Number(input.value); value.textContent = input.value; spoil(); });
      return make("label", {}, make("span", {textContent: name}), input, value);
    });
    let busy = false, again = false;
    async function draw() {
      const context = canvas.getContext("2d"), {image, x, y, width, height} = source;
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.filter = "none";
      context.fillStyle = "#808080";
      context.fillRect(0, 0, wide, high);
      context.filter = `blur(${state.blur * size / 224}px) brightness(${100 - state.dark}%)`;
      context.translate(wide / 2, high / 2);
      context.rotate(state.turn * Math.PI / 180);
      context.drawImage(image, x, y, width, height, -wide / 2, -high / 2, wide, high);
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.filter = "none";
      if (state.cover) context.fillRect(state.cover.x - size / 8, state.cover.y - size / 8, size / 4, size / 4);
      if (state.noise) {
        const pixels = context.getImageData(0, 0, wide, high), random = NOISE;
        for (let at = 0; at < pixels.data.length; at++)
          if (at % 4 < 3) pixels.data[at] += state.noise * random[at % random.length];
        context.putImageData(pixels, 0, 0);
      }
      if (!state.jpeg) return;
      const saved = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 1 - state.jpeg / 100));
      const decoded = await createImageBitmap(saved);
      context.drawImage(decoded, 0, 0);
      decoded.close();
    }
    async function spoil() {
      costs.hidden = true;
      said.textContent = "";
      for (const over of element.querySelectorAll(".seen .over, .seen i")) over.hidden = true;  // that was of the whole photo
      for (const button of element.querySelectorAll(".laid")) button.classList.remove("laid");
      element.querySelector(".seen").laid = null;
      if (busy) return (again = true);
      busy = true;
      do {
        again = false;
        await draw();
        const answer = await flowerPage.ask("look", {image: canvas, x: 0, y: 0, width: wide, height: high}, "image/png", {heat: 1}).catch(() => null);
        if (answer) fillBars(bars, answer);
        if (answer) [told.first] = Object.keys(answer.heat);
      } while (again);
      busy = false;
    }
    const cover = (event) => {
      if (event.type === "pointermove" && !event.buttons) return;
      const box = canvas.getBoundingClientRect();
      state.cover = {x: size * (event.clientX - box.left) / box.width, y: size * (event.clientY - box.top) / box.height};
      spoil();
    };
    canvas.tabIndex = 0;
    canvas.ariaLabel = texts.inside_cover;
    canvas.addEventListener("pointerdown", cover);
    canvas.addEventListener("pointermove", cover);
    canvas.addEventListener("keydown", (event) => {
      const step = {ArrowLeft: [-size / 20, 0], ArrowRight: [size / 20, 0], ArrowUp: [0, -size / 20], ArrowDown: [0, size / 20]}[event.key];
      if (!step) return;
      event.preventDefault();
      const {x, y} = state.cover ?? {x: size / 2, y: size / 2};
      state.cover = {x: x + step[0], y: y + step[1]};
      spoil();
    });
    const undo = make("button", {type: "button", className: "pill", textContent: texts.inside_undo});
    undo.addEventListener("click", () => {
      Object.assign(state, WHOLE);
      for (const input of element.querySelectorAll(".break input, .break output")) input.value = 0;
      spoil();
    });
    // Where covering costs the answer most.
    const costs = make("canvas", {className: "over", hidden: true}), said = make("p", {className: "size", role: "status"});
    const everywhere = make("button", {type: "button", className: "pill", textContent: texts.inside_everywhere});
    everywhere.addEventListener("click", async () => {
      said.textContent = texts.looking;
      const picture = {image: canvas, x: 0, y: 0, width: wide, height: high}, label = told.first ?? told.answers[0][1];
      const answer = await flowerPage.ask("inside", picture, "image/png", {cover: label}).catch(() => null);
      if (!answer) return (said.textContent = texts.try_again);
      const most = Math.max(...answer.costs.flat()), [name] = told.answers.find(([, it]) => it === answer.label);
      const rows = answer.costs.map((row) => row.map((it) => 255 * Math.max(0, it) / Math.max(most, 1e-6)));
      flowerPage.paint(costs, rows);
      const step = 0.75 / (rows.length - 1);  // of a square a quarter as wide as what the network sees
      spread(costs, (1 - told.share) / 2 + told.share * (0.125 - step / 2), told.share * rows.length * step);
      costs.hidden = most < 0.005;
      said.textContent = fill(most < 0.005 ? texts.inside_costs_nothing : texts.inside_costs, {flower: name, share: Math.round(100 * most)});
    });
    setTimeout(spoil);
    const stack = make("div", {className: "stack"}, canvas, costs);
    return make("div", {className: "break"}, stack, make("div", {}, ...sliders, make("div", {className: "row"}, undo, everywhere), said, bars));
  }

  const WHOLE = {blur: 0, noise: 0, dark: 0, turn: 0, jpeg: 0, cover: null};

  // Normally distributed, of deviation 1, and the same at every strength: Box and Muller, 1958.
  const NOISE = Float32Array.from({length: 65537}, () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random()));

  function fillBars(bars, answer) {
    const known = answer.in_distribution_probability, rows = known === null ? [] : [[texts.inside_one_of, "other", known]];
    for (const [label, {name}] of Object.entries(answer.heat)) rows.push([name, label, answer.probabilities[label]]);
    bars.replaceChildren(...rows.map(([name, label, share]) => {
      const track = make("span", {className: "t"}, make("i", {className: `flower-${label}`, style: `width:${100 * share}%`}));
      return make("div", {className: "bar"}, make("span", {className: "n", textContent: name}), track, make("span", {className: "p", textContent: percent(share)}));
    }));
  }

  function mount(given) {
    element = given.querySelector(".gradio-style") ?? given;
    element.classList.add("inside");
  }

  return {mount, show};
})();
