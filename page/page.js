// The photo and its answer, in the visitor's browser. Texts come from the server as window.flowerTexts.
window.flowerPage = (() => {
  const texts = window.flowerTexts;
  const MAX_BYTES = 1e6;   // larger photos are scaled before they are sent
  const MAX_SIDE = 1600;   // to at most so many pixels
  const KEPT = 5;          // photos of this visit to go back to, in memory alone
  const now = {number: 0, file: null, address: null, key: null, asked: null};
  let recent = [];
  const parts = {};        // what each component gives: element, trigger, props, upload
  const find = (selector) => document.querySelector(selector);
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

  const icon = '<svg aria-hidden="true" width="46" height="46" viewBox="0 0 24 24" fill="none" stroke="currentColor" ' +
    'stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round"><path d="M12 16V3m0 0L7 8m5-5 5 5M4 21h16"/></svg>';
  const chooser = (classes, text, attributes) =>
    `<label class="${classes}">${text}<input type="file" ${attributes}></label>`;
  const pictures = 'accept="image/*,.heic,.heif,.avif"';

  function stage(element, trigger, props, upload) {
    parts.stage = {element, trigger, props, upload};
    element.innerHTML = `<div class="stage empty">
      <div class="drop">${icon}<h2>${texts.drop_title}</h2><p>${texts.drop_hint}</p><div class="row">
        ${chooser("btn", texts.choose, pictures)}
        ${chooser("btn two take", texts.take, 'accept="image/*" capture="environment"')}</div></div>
      <div class="frame"><figure hidden><div class="blur"></div><img class="picture" alt="${texts.photo}"><img class="heat" alt="" hidden>
        <p class="unseen"></p></figure>
      <div class="pills" hidden>${chooser("pill go", texts.another, pictures)}
        ${chooser("pill take", texts.take, 'accept="image/*" capture="environment"')}
        <button type="button" class="pill where" aria-pressed="false">${texts.where}</button>
        <button type="button" class="pill save">${texts.save}</button></div></div>
      <div class="line" hidden><input type="range" min="0" max="100" value="0" aria-label="${texts.line}"><p></p></div>
    </div>`;
    for (const input of element.querySelectorAll("input[type=file]"))
      input.addEventListener("change", () => { if (input.files.length) use(input.files[0]); input.value = ""; });
    element.querySelector(".where").addEventListener("click", toggleHeat);
    element.querySelector(".save").addEventListener("click", save);
    element.querySelector(".line input").addEventListener("input", drawLine);
    const figure = element.querySelector("figure"), line = element.querySelector(".line input");
    const drag = (event) => {
      if (!event.buttons || figure.querySelector(".heat").hidden) return;
      const {left, width} = pictureBox();
      line.value = 100 * (event.clientX - figure.getBoundingClientRect().left - left) / width;
      drawLine();
    };
    for (const kind of ["pointerdown", "pointermove"]) figure.addEventListener(kind, drag);
    element.querySelector(".picture").addEventListener("error", () => element.querySelector(".stage").classList.add("undecoded"));
  }

  function strips(element) {
    element.innerHTML = `<section class="strip examples"><h3>${texts.examples}</h3><div class="thumbs"></div></section>
      <section class="strip recent" hidden><h3>${texts.recent}</h3><div class="thumbs"></div></section>`;
    element.querySelector(".examples").hidden = !window.flowerExamples.length;
    for (const {name, label, thumbnail} of window.flowerExamples) {
      const button = document.createElement("button");
      button.type = "button";
      button.innerHTML = `<img src="${thumbnail}" alt="" width="72" height="72"><span>${label}</span>`;
      button.addEventListener("click", async () => use(new File([await (await fetch(`examples/${name}`)).blob()], name)));
      element.querySelector(".examples .thumbs").append(button);
    }
  }

  function hint(element, props, key) {
    if (!props.value) element.innerHTML = `<p class="why">${texts[key]}</p>`;
  }

  // A photo may be dropped or pasted anywhere but into the field for many photos.
  const forMany = (event) => event.target.closest?.("#files");
  document.addEventListener("dragover", (event) => {
    if (!forMany(event)) { event.preventDefault(); find(".stage")?.classList.add("over"); }
  });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) find(".stage")?.classList.remove("over"); });
  document.addEventListener("drop", (event) => {
    find(".stage")?.classList.remove("over");
    if (forMany(event) || !event.dataTransfer?.files.length) return;
    event.preventDefault();
    take([...event.dataTransfer.files]);
  });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])].filter(({type}) => type.startsWith("image/"));
    if (files.length) { event.preventDefault(); take(files); }
  });

  // One photo is answered where it is; several, or a zip of them, among the many photos.
  function take(files) {
    if (files.length > 1 || /\.zip$/i.test(files[0].name)) useMany(files);
    else use(files[0]);
  }

  async function useMany(files) {
    document.querySelectorAll('.tab-container [role="tab"]')[1]?.click();
    const given = new DataTransfer();
    for (const file of files) given.items.add(file);
    find("#files [aria-label='Clear']")?.click();  // photos that are there make way
    for (let tries = 0; tries < 100; tries++) {
      const input = find("#files input[type=file]");
      if (input?.offsetParent || input?.parentElement?.offsetParent) {
        input.files = given.files;
        input.dispatchEvent(new Event("change", {bubbles: true}));
        return;
      }
      await new Promise((done) => setTimeout(done, 50));
    }
  }

  async function use(file) {
    const number = ++now.number;
    if (!find("#models")?.offsetParent) find('.tab-container [role="tab"]')?.click();
    now.file = file;
    now.key = null;
    now.address = URL.createObjectURL(file);
    show();
    busy();
    try {
      now.small = await shrunk(file);
      if (await send(number)) ask();
    } catch (error) {
      if (number === now.number) failed();
    }
  }

  // The same answer again would be no change, and not be shown.
  function ask() {
    parts.answer.props.value = null;
    setTimeout(() => parts.stage.trigger("input"));
  }

  // Send the photo that is there, and return whether it still is. The server deletes photos within the hour and when it
  // ends: who asks about one then sends it again.
  async function send(number) {
    const sent = await parts.stage.upload(now.small);
    if (number !== now.number) return false;
    now.key = sent.path;
    parts.stage.props.value = {path: sent.path, orig_name: now.file.name, meta: {_type: "gradio.FileData"}};
    return true;
  }

  async function sendAgain(then) {
    const number = now.number;
    if (now.sentAgain === number) return failed();
    now.sentAgain = number;
    try {
      if (await send(number)) setTimeout(then);
    } catch (error) {
      if (number === now.number) failed();
    }
  }

  // A large photo takes seconds on a slow line, and the network sees 224 pixels of it.
  async function shrunk(file) {
    if (file.size <= MAX_BYTES) return file;
    try {
      const bitmap = await createImageBitmap(file, {imageOrientation: "from-image"});
      const scale = Math.min(1, MAX_SIDE / Math.max(bitmap.width, bitmap.height));
      const canvas = new OffscreenCanvas(Math.round(bitmap.width * scale), Math.round(bitmap.height * scale));
      const context = canvas.getContext("2d");
      context.fillStyle = "white";
      context.fillRect(0, 0, canvas.width, canvas.height);
      context.imageSmoothingQuality = "high";
      context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
      bitmap.close();
      const blob = await canvas.convertToBlob({type: "image/jpeg", quality: 0.85});
      return blob.size < file.size ? new File([blob], file.name.replace(/\.\w+$/, "") + ".jpg", {type: blob.type}) : file;
    } catch (error) {
      return file;  // what the browser cannot decode, the server may
    }
  }

  function show() {
    const stage = find(".stage");
    stage.classList.remove("empty", "undecoded", "turned");
    stage.querySelector(".drop").hidden = true;
    stage.querySelector("figure").hidden = stage.querySelector(".pills").hidden = false;
    stage.querySelector(".picture").src = now.address;
    document.body.style.setProperty("--shown", `url("${now.address}")`);
    stage.querySelector(".unseen").textContent = now.file.name;
    // What was focused is gone; whoever chose by keyboard goes on from here.
    if (document.activeElement === document.body) stage.querySelector(".pill.go input").focus({preventScroll: true});
    if (stage.getBoundingClientRect().top < 0) stage.scrollIntoView();  // an example below it was chosen
    forgetHeat();
  }

  function remember({file, address, key}) {
    const kept = [{file, address, key}, ...recent.filter((photo) => photo.key !== key)].slice(0, KEPT);
    for (const {address: old} of recent) if (!kept.some(({address}) => address === old)) URL.revokeObjectURL(old);
    recent = kept;
    const strip = find(".recent");
    strip.hidden = recent.length < 2;
    strip.querySelector(".thumbs").replaceChildren(...recent.map((photo, index) => {
      const button = document.createElement("button");
      button.type = "button";
      button.ariaLabel = fill(texts.recent_photo, {number: index + 1});
      button.innerHTML = '<img alt="" width="56" height="56">';
      button.firstChild.src = photo.address;
      button.addEventListener("click", () => use(photo.file));
      return button;
    }));
  }

  // What tells the flowers from one another, as long as there is no answer.
  const guide = () => window.flowerExamples.filter(({marks}) => marks).map(({label, marks, flower, thumbnail}) =>
    `<div class="ref"><img src="${thumbnail}" alt="" width="44" height="44"><p><b class="name ${flower}">${label}</b> ${marks}</p></div>`
  ).join("");

  function answer(element, trigger, props, watch) {
    parts.answer = {element, trigger, props};
    element.innerHTML = `<div id="words" aria-live="polite" aria-atomic="true"><div class="panel"><h2>${texts.question}</h2>
      <p class="why">${texts.intro}</p><div class="guide">${guide()}</div></div></div>`;
    watch("value", () => {
      const made = document.createElement("div");
      made.innerHTML = props.value;
      const panel = made.querySelector(".panel");
      if (!panel || panel.dataset.key !== (now.key ?? "")) return;  // of a photo that is there no more
      // Of what was asked last: when a question fails, Gradio sets the former value once more.
      if (now.key && (!now.waiting || (now.model && panel.dataset.model && panel.dataset.model !== now.model))) return;
      if (panel.classList.contains("gone")) return sendAgain(ask);
      find("#words").replaceChildren(panel);
      settled(panel);
      if (find("#models")?.offsetParent) parts.models.trigger("input");
    });
    element.addEventListener("click", (event) => {
      const bar = event.target.closest("button.bar");
      if (bar) askHeat(bar.dataset.label);
    });
  }

  // An answer is there: its photo is kept, unless it cannot be used.
  function settled(panel) {
    const {label, known} = panel.dataset, stage = find(".stage");
    now.sentAgain = null;
    found();
    stop(false);
    stage.querySelector(".save").disabled = stage.querySelector(".where").disabled = !label;
    stage.classList.toggle("refused", !label);
    stage.classList.toggle("unknown", known === "0");
    if (label && now.key && !stage.classList.contains("undecoded")) remember(now);
    const turned = "turned" in panel.dataset;  // the browser shows it as it lies in the file: the server's is upright
    stage.classList.toggle("turned", turned);
    if (label && (turned || stage.classList.contains("undecoded"))) askHeat("");  // with it comes a photo to show
    else forgetHeat();
  }

  // While an answer is on its way, nothing of the former one can be read, pressed or saved.
  const busy = () => {
    find("#words h2").textContent = texts.looking;
    stop(true);
    find(".stage .save").disabled = find(".stage .where").disabled = true;
    if (now.heat) forgetHeat();
  };

  function stop(stopped) {
    now.waiting = stopped;
    find("#words").classList.toggle("stale", stopped);
    find("#words").inert = stopped;
  }

  // The page's questions fail when the server or the line is gone. One quiet line says so until both are back; what was
  // asked is then asked again by itself, a few times, or when the visitor says so.
  const lost = {timer: null, tries: 0, ask: null};

  function failed(ask = askAgain) {
    lost.ask = ask;
    const line = find("#lost") ?? document.body.appendChild(Object.assign(document.createElement("div"), {id: "lost"}));
    line.setAttribute("role", "status");
    line.innerHTML = `<span>${texts.lost}</span> <button type="button" class="pill">${texts.again}</button>`;
    line.querySelector("button").addEventListener("click", () => { lost.tries = 0; recover(); });
    if (now.file && find("#words.stale")) {
      find("#words").innerHTML = `<div class="panel problem" data-key=""><h2>${texts.failed}</h2><p class="why">${texts.try_again}</p></div>`;
      stop(false);
      find(".stage").classList.add("refused");
    }
    clearTimeout(lost.timer);
    if (lost.tries < 5) lost.timer = setTimeout(recover, 2000 * ++lost.tries);
  }

  async function recover() {
    clearTimeout(lost.timer);
    const ask = lost.ask;
    try {
      const answer = await reach("gradio_api/app_id", {cache: "no-store"});
      if (!answer.ok) throw new Error(answer.status);
    } catch (error) {
      lost.timer = setTimeout(recover, 2000);
      return;
    }
    find("#lost")?.remove();
    ask();
  }

  // A question was answered.
  function found() {
    clearTimeout(lost.timer);
    lost.tries = 0;
    find("#lost")?.remove();
  }

  // Ask again what the visitor sees: the answer to the photo, and what the open tab shows of it.
  async function askAgain() {
    now.sentAgain = null;  // a server that was started anew has no photo
    if (now.file && find("#words.stale, #words .problem")) {
      busy();
      await sendAgain(ask);
    } else if (now.file && now.asked !== null && now.heat?.asked !== now.asked) {
      const {asked} = now;
      await sendAgain(() => askHeat(asked));
    }
    if (find("#models")?.offsetParent) setTimeout(() => parts.models.trigger("input"));
    if (find("#about")?.offsetParent) setTimeout(() => parts.about.trigger("input"));
  }

  // Where the line is gone, Gradio tells no event of it: it asks for its own address until that answers, and loads the
  // page anew, so that photo and answer are gone. Here a question that does not arrive has failed like any other.
  const reach = window.fetch.bind(window);
  const NO_ANSWER = {error: "no connection", detail: "no connection"};
  window.fetch = async (address, options) => {
    const {pathname} = new URL(address?.url ?? address, location);
    const [, question] = pathname.match(/\/gradio_api\/(app_id|run\/predict|queue\/join|queue\/data)\/?$/) ?? [];
    if (!question) return reach(address, options);
    if (question === "app_id") throw new TypeError("not asked for");
    try {
      const response = await reach(address, options);
      if (question === "queue/join") response.clone().json().then(({event_id}) => { now.event = event_id; }, () => {});
      return question === "queue/data" ? new Response(answered(response.body), response) : response;
    } catch (error) {
      if (error.name === "AbortError") throw error;
      return new Response(JSON.stringify(NO_ANSWER), {status: 503, headers: {"Content-Type": "application/json"}});
    }
  };

  // A stream of events that breaks off ends with the failure of the event that was asked for last.
  function answered(body) {
    const reader = body.getReader();
    const failure = () => JSON.stringify({msg: "process_completed", event_id: now.event, output: NO_ANSWER, success: false});
    return new ReadableStream({
      async pull(controller) {
        try {
          const {done, value} = await reader.read();
          if (done) controller.close();
          else controller.enqueue(value);
        } catch (error) {
          if (error.name === "AbortError") return controller.error(error);
          controller.enqueue(new TextEncoder().encode(`data: ${failure()}\n\n`));
          controller.close();
        }
      },
      cancel: (reason) => reader.cancel(reason),
    });
  }

  function heat(element, trigger, props, watch) {
    parts.heat = {element, trigger, props};
    watch("value", () => {
      const made = props.value;
      if (made?.gone && made.key === now.key) return sendAgain(() => askHeat(made.asked ?? ""));
      if (!made?.overlay || made.key !== now.key || made.asked !== now.asked) return;
      if (now.model && made.model !== now.model) return;
      const stage = find(".stage"), picture = stage.querySelector(".picture");
      if (stage.matches(".undecoded, .turned")) { picture.src = made.photo; stage.classList.remove("undecoded", "turned"); }
      stage.querySelector(".heat").src = made.overlay;
      stage.querySelector(".line p").textContent = fill(texts.where_info, {flower: made.name});
      now.heat = made;
      showHeat(true);
      if (stage.getBoundingClientRect().top < 0) stage.scrollIntoView({behavior: "smooth"});  // a bar below it was asked
    });
  }

  // The label goes by asked(), not as the component's value, which an explanation that is on its way overwrites.
  function askHeat(label) {
    if (!now.key) return;
    now.asked = label;
    parts.heat.props.value = null;  // or the same explanation again would be no change, and not be shown
    setTimeout(() => parts.heat.trigger("input"));
  }

  const asked = () => now.asked;

  function toggleHeat() {
    if (now.heat?.key === now.key) showHeat(find(".stage .heat").hidden);
    else askHeat("");
  }

  function showHeat(shown) {
    const stage = find(".stage");
    stage.querySelector(".heat").hidden = stage.querySelector(".line").hidden = !shown;
    stage.querySelector(".where").ariaPressed = String(shown);
    for (const bar of document.querySelectorAll("#words .bar"))
      bar.classList.toggle("asked", shown && bar.dataset.label === now.heat.label);
    drawLine();
  }

  function forgetHeat() {
    now.heat = now.asked = null;
    find(".stage .line input").value = 0;  // the whole photo is under the map, until the line is drawn over it
    showHeat(false);
  }

  // Where the photo is in the frame, which it fills in one direction alone.
  function pictureBox() {
    const figure = find(".stage figure"), picture = find(".stage .picture");
    const scale = Math.min(figure.clientWidth / picture.naturalWidth, figure.clientHeight / picture.naturalHeight) || 1;
    const width = picture.naturalWidth * scale;
    return {left: (figure.clientWidth - width) / 2, width};
  }

  function drawLine() {
    const stage = find(".stage"), shown = stage.querySelector(".heat"), {left, width} = pictureBox();
    const share = stage.querySelector(".line input").value / 100;
    shown.style.clipPath = `inset(0 0 0 ${left + share * width}px)`;
  }
  addEventListener("resize", () => { if (find(".stage .heat") && !find(".stage .heat").hidden) drawLine(); });

  // A picture of photo, answer and heat, made here; it goes to the share sheet, or into the downloads.
  async function save() {
    const stage = find(".stage"), picture = stage.querySelector(".picture"), over = stage.querySelector(".heat");
    const panel = find("#words .panel"), style = getComputedStyle(document.body);
    const width = 1080, height = Math.round(width * picture.naturalHeight / picture.naturalWidth), foot = 190;
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height + foot;
    const context = canvas.getContext("2d");
    context.fillStyle = style.getPropertyValue("--card");
    context.fillRect(0, 0, width, height + foot);
    context.drawImage(picture, 0, 0, width, height);
    if (!over.hidden) {
      const left = width * stage.querySelector(".line input").value / 100;
      context.save();
      context.beginPath();
      context.rect(left, 0, width - left, height);
      context.clip();
      context.drawImage(over, 0, 0, width, height);
      context.restore();
    }
    const heading = panel?.querySelector("h2"), name = heading?.querySelector(".name");
    context.fillStyle = name ? getComputedStyle(name).color : style.getPropertyValue("--ink");
    context.font = "700 64px system-ui, sans-serif";
    context.fillText(heading?.innerText.replace(/\s+/g, " ") ?? "", 40, height + 90, width - 80);
    context.fillStyle = style.getPropertyValue("--soft");
    context.font = "30px system-ui, sans-serif";
    const below = over.hidden ? document.title : stage.querySelector(".line p").textContent;
    context.fillText(below, 40, height + 150, width - 80);
    const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
    const file = new File([blob], `${panel?.dataset.known === "1" ? panel.dataset.label : "photo"}.jpg`, {type: "image/jpeg"});
    if (matchMedia("(pointer: coarse)").matches && navigator.canShare?.({files: [file]})) {
      try { await navigator.share({files: [file]}); } catch (error) { /* the visitor closed the sheet */ }
      return;
    }
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = file.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  function models(element, trigger, props, watch) {
    parts.models = {element, trigger, props};
    watch("value", () => {
      if (element.querySelector(".gone") && now.file) sendAgain(() => trigger("input"));
    });
  }

  function about(element, trigger) {
    parts.about = {element, trigger};
  }

  // The address names the model; in a Space the page is in a frame, whose address nobody sees.
  function shareModel(model) {
    now.model = model;
    const url = new URL(location);
    url.searchParams.set("model", model);
    history.replaceState(null, "", url);
    if (parent !== window) parent.postMessage({queryString: url.searchParams.toString()}, "https://huggingface.co");
    if (now.key) { busy(); parts.answer.props.value = null; }
  }

  return {stage, strips, answer, heat, asked, hint, models, about, shareModel, failed};
})();
