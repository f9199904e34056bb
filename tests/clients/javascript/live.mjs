// The Live API through @google/genai, as its users call it. LIVE_URL is a server whose links last 12 seconds,
// LIVE_URL_HALF_CASCADE one that behaves as a half-cascade model.
import assert from "node:assert/strict";
import { Behavior, FunctionResponseScheduling, GoogleGenAI, Modality, Type } from "@google/genai";

const NATIVE = "gemini-2.5-flash-native-audio-latest";
const HALF_CASCADE = "gemini-live-2.5-flash-preview";

class Session {
  static async open(model, config = {}, baseUrl = process.env.LIVE_URL) {
    const self = new Session();
    self.messages = [];
    self.wake = () => {};
    const ai = new GoogleGenAI({ apiKey: "any", httpOptions: { baseUrl } });
    const opening = ai.live.connect({
      model,
      config: { responseModalities: [Modality.AUDIO], outputAudioTranscription: {}, ...config },
      callbacks: {
        onmessage: message => { self.messages.push(message); self.wake(); },
        onerror: () => {},
        onclose: event => { self.closed = event; self.wake(); },
      },
    });
    // The SDK waits for ever for a session that the server refuses.
    self.live = await Promise.race([opening, self.end()]);
    return self;
  }
  async until(found) {
    for (;;) {
      const at = this.messages.findIndex(found);
      if (at >= 0) return this.messages.splice(0, at + 1);
      assert(!this.closed, `closed: ${this.closed?.code} ${this.closed?.reason}`);
      await this.more();
    }
  }
  more() {
    const before = this.wake;
    return new Promise(wake => (this.wake = () => { before(); wake(); }));
  }
  turn() {
    return this.until(message => message.serverContent?.turnComplete);
  }
  async end() {
    while (!this.closed) await this.more();
    return this.closed;
  }
  close() {
    this.live.close();
  }
}

const words = messages => messages.map(it => it.serverContent?.outputTranscription?.text ?? "").join("").trim();
const sound = messages => messages.flatMap(it => it.serverContent?.modelTurn?.parts ?? [])
  .filter(part => part.inlineData?.mimeType?.startsWith("audio/pcm")).length;
const tone = seconds => {
  const samples = new Int16Array(16000 * seconds).map((_, n) => 9000 * Math.sin(2 * Math.PI * 300 * n / 16000));
  return Buffer.from(samples.buffer);
};
async function speak(session, pcm) {
  for (let at = 0; at < pcm.length; at += 3200) {
    const data = pcm.subarray(at, at + 3200).toString("base64");
    session.live.sendRealtimeInput({ audio: { data, mimeType: "audio/pcm;rate=16000" } });
    await new Promise(done => setTimeout(done, 20));
  }
}
const WEATHER = {
  functionDeclarations: [{
    name: "get_weather", description: "Look up the weather for a city.",
    parameters: { type: Type.OBJECT, properties: { city: { type: Type.STRING } }, required: ["city"] },
  }],
};

const scenarios = {
  async "a typed turn"() {
    const session = await Session.open(NATIVE);
    session.live.sendClientContent({ turns: "What is 3 plus 4?", turnComplete: true });
    const answer = await session.turn();
    assert.equal(words(answer), "3 plus 4 is 7.");
    assert(sound(answer) > 0);
    session.close();
  },
  async "turns with a history"() {
    const session = await Session.open(NATIVE);
    session.live.sendClientContent({
      turns: [
        { role: "user", parts: [{ text: "My name is Ada." }] },
        { role: "model", parts: [{ text: "Hello, Ada." }] },
        { role: "user", parts: [{ text: "What is my name?" }] },
      ],
    });
    assert.match(words(await session.turn()), /Ada/);
    session.close();
  },
  async "a half cascade answers in text"() {
    const text = { responseModalities: [Modality.TEXT], outputAudioTranscription: undefined };
    const session = await Session.open(HALF_CASCADE, text, process.env.LIVE_URL_HALF_CASCADE);
    session.live.sendClientContent({ turns: "What is 3 plus 4?" });
    const parts = (await session.turn()).flatMap(it => it.serverContent?.modelTurn?.parts ?? []);
    assert.equal(parts.map(part => part.text ?? "").join("").trim(), "3 plus 4 is 7.");
    session.close();
  },
  async "speech and its transcription"() {
    const session = await Session.open(NATIVE, { inputAudioTranscription: {} });
    await speak(session, Buffer.concat([tone(1), Buffer.alloc(64000)]));
    session.live.sendRealtimeInput({ audioStreamEnd: true });
    const answer = await session.turn();
    assert(answer.some(it => it.serverContent?.inputTranscription?.text));
    assert(sound(answer) > 0);
    session.close();
  },
  async "marks of activity instead of voice detection"() {
    const realtimeInputConfig = { automaticActivityDetection: { disabled: true } };
    const session = await Session.open(NATIVE, { realtimeInputConfig });
    session.live.sendRealtimeInput({ activityStart: {} });
    await speak(session, tone(1));
    session.live.sendRealtimeInput({ activityEnd: {} });
    assert(sound(await session.turn()) > 0);
    session.close();
  },
  async "an interruption"() {
    const session = await Session.open(NATIVE);
    session.live.sendClientContent({ turns: "Tell me a story." });
    await session.until(message => message.data);
    session.live.sendClientContent({ turns: "What is 1 plus 1?" });
    await session.until(message => message.serverContent?.interrupted);
    await session.turn();
    assert.equal(words(await session.turn()), "1 plus 1 is 2.");
    session.close();
  },
  async "a function call"() {
    const session = await Session.open(NATIVE, { tools: [WEATHER] });
    session.live.sendClientContent({ turns: "What is the weather in Oslo?" });
    const asked = await session.until(message => message.toolCall);
    const [call] = asked.at(-1).toolCall.functionCalls;
    assert.deepEqual([call.name, call.args], ["get_weather", { city: "Oslo" }]);
    session.live.sendToolResponse({
      functionResponses: { id: call.id, name: call.name, response: { output: "It rains." } },
    });
    assert.match(words(await session.turn()), /It rains/);
    session.close();
  },
  async "a function call that does not block"() {
    const declared = { ...WEATHER.functionDeclarations[0], behavior: Behavior.NON_BLOCKING };
    const session = await Session.open("gemini-3.8-live", { tools: [{ functionDeclarations: [declared] }] });
    session.live.sendRealtimeInput({ text: "What is the weather in Oslo?" });
    const asked = await session.until(message => message.toolCall);
    const [call] = asked.at(-1).toolCall.functionCalls;
    await session.turn();
    session.live.sendToolResponse({
      functionResponses: [{
        id: call.id, name: call.name, response: { output: "It rains." },
        scheduling: FunctionResponseScheduling.INTERRUPT,
      }],
    });
    assert.match(words(await session.turn()), /It rains/);
    session.close();
  },
  async "Google Search"() {
    const session = await Session.open(NATIVE, { tools: [{ googleSearch: {} }] });
    session.live.sendClientContent({ turns: "Search the web for news." });
    assert((await session.turn()).some(it => it.serverContent?.groundingMetadata));
    session.close();
  },
  async "a picture"() {
    const dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
    const session = await Session.open(NATIVE);
    session.live.sendRealtimeInput({ video: { data: dot, mimeType: "image/png" } });
    session.live.sendClientContent({ turns: "What do you see?" });
    assert.match(words(await session.turn()), /1 by 1|picture/);
    session.close();
  },
  async "a resumed session"() {
    let session = await Session.open(NATIVE, { sessionResumption: {} });
    session.live.sendClientContent({ turns: "My name is Ada." });
    const update = await session.until(message => message.sessionResumptionUpdate?.resumable);
    const handle = update.at(-1).sessionResumptionUpdate.newHandle;
    session.close();
    session = await Session.open(NATIVE, { sessionResumption: { handle } });
    session.live.sendClientContent({ turns: "What is my name?" });
    assert.match(words(await session.turn()), /Ada/);
    session.close();
  },
  async "GoAway, and the end of the connection"() {
    const session = await Session.open(NATIVE);
    const goAway = (await session.until(message => message.goAway)).at(-1).goAway;
    assert.match(goAway.timeLeft, /^\d+s$/);
    assert.equal((await session.end()).code, 1008);
  },
  async "compression, voices and every other setting"() {
    const session = await Session.open(NATIVE, {
      systemInstruction: "Be brief.",
      temperature: 0.5,
      speechConfig: { voiceConfig: { prebuiltVoiceConfig: { voiceName: "Puck" } } },
      contextWindowCompression: { triggerTokens: "25600", slidingWindow: { targetTokens: "12800" } },
      sessionResumption: {},
      inputAudioTranscription: {},
    });
    session.live.sendClientContent({ turns: "Hello." });
    assert(sound(await session.turn()) > 0);
    session.close();
  },
  async "a message at once after connecting"() {
    const session = await Session.open(NATIVE);
    for (const text of ["Hello.", "What is 2 plus 2?"]) {
      session.live.sendClientContent({ turns: text });
      await session.turn();
    }
    session.close();
  },
  async "a refused setting"() {
    const session = await Session.open(NATIVE, { temperature: "hot" });
    assert.equal((await session.end()).code, 1007);
  },
  async "an ephemeral token"() {
    const httpOptions = { baseUrl: process.env.LIVE_URL, apiVersion: "v1alpha" };
    const made = await new GoogleGenAI({ apiKey: "any", httpOptions }).authTokens.create({ config: { uses: 1 } });
    const ai = new GoogleGenAI({ apiKey: made.name, httpOptions });
    await new Promise((done, failed) => {
      const callbacks = {
        onmessage: message => message.setupComplete && done(),
        onclose: event => failed(new Error(event.reason)),
      };
      ai.live.connect({ model: NATIVE, callbacks }).then(live => setTimeout(() => live.close(), 500), failed);
    });
  },
};

async function run(name, scenario) {
  let late;
  const limit = new Promise((_, reject) => (late = setTimeout(() => reject(new Error("nothing more came")), 30_000)));
  try {
    await Promise.race([scenario(), limit]);
    console.log(`ok      @google/genai: ${name}`);
    return true;
  } catch (error) {
    console.log(`FAILED  @google/genai: ${name}: ${error.message}`);
    return false;
  } finally {
    clearTimeout(late);
  }
}

const done = await Promise.all(Object.entries(scenarios).map(([name, scenario]) => run(name, scenario)));
process.exit(done.every(Boolean) ? 0 : 1);
