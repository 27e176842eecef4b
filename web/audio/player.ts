// Plays what the models heard, from wherever one likes.
import { wavOf } from "./decode.ts";

export class Player {
  private readonly audio = new Audio();
  private url: string | undefined;
  /** Told when playing begins, ends or stops. */
  onChange: () => void = () => {};

  constructor() {
    for (const event of ["play", "pause", "ended"]) this.audio.addEventListener(event, () => this.onChange());
  }

  load(wave: Float32Array): void {
    this.unload();
    this.url = URL.createObjectURL(wavOf(wave));
    this.audio.src = this.url;
  }

  unload(): void {
    this.audio.pause();
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = undefined;
  }

  get isPlaying(): boolean {
    return !this.audio.paused && !this.audio.ended;
  }

  get position(): number {
    return this.audio.currentTime;
  }

  set position(seconds: number) {
    this.audio.currentTime = seconds;
  }

  async toggle(): Promise<void> {
    if (this.isPlaying) return this.audio.pause();
    if (this.audio.ended || this.position >= this.audio.duration - 0.05) this.position = 0;
    await this.audio.play();
  }
}
