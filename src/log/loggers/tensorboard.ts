// TensorBoard: event files with scalars, the recipe as text, and hyperparameters for its table of runs.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { flatSettings, type LoggedRun, type Logger } from "../logger.ts";
import { type EventWriter, openEventWriter } from "../tensorboard.ts";

const FOLDER = "tensorboard";

/** The folder of a run's event files, which is the run's name in TensorBoard. */
const eventsFolder = ({ folder, part = "" }: Pick<LoggedRun, "folder" | "part">): string => join(folder, FOLDER, part);

/**
 * A new file for each start. What a resume does again is purged by the session that the new file begins; where a run that
 * goes on has no file yet, all its rows are written.
 */
export function tensorboardLogger(): Logger {
  let events: EventWriter | undefined;
  let last = 0;
  return {
    name: "tensorboard",
    async start(run) {
      const folder = eventsFolder(run);
      const { resumed } = run;
      const isNew = !hasEvents(folder);
      events = openEventWriter(folder, {
        purgeStep: resumed && !isNew ? Math.max(0, resumed.lastStep) + 1 : undefined,
      });
      if (!isNew) return;
      describe(run, events);
      if (resumed) for await (const { step, values } of resumed.rows()) events.scalars(step, Object.entries(values));
    },
    log({ step, values }) {
      last = step;
      events?.scalars(step, Object.entries(values));
    },
    end({ state, summary }) {
      const figures = Object.entries(summary).flatMap(([name, value]): [string, number][] =>
        typeof value === "number" ? [[`summary/${name}`, value]] : [],
      );
      if (state === "done" && figures.length > 0) events?.scalars(last, figures);
      if (state !== "interrupted") events?.data("_hparams_/session_end_info", "hparams", sessionEnd(state === "done"));
      events?.close();
      events = undefined;
    },
  };
}

function hasEvents(folder: string): boolean {
  try {
    return readdirSync(folder).some((name) => name.includes("tfevents"));
  } catch {
    return false;
  }
}

function describe({ settings, tags, name, created }: LoggedRun, events: EventWriter): void {
  const leaves = flatSettings(settings);
  const table = leaves.map(([key, value]) => `| ${key} | ${String(value).replaceAll("|", "\\|")} |`);
  const text = [`${name} (${tags.join(", ")})`, "", "| setting | value |", "|---|---|", ...table].join("\n");
  events.data("settings/text_summary", "text", text);
  events.data("_hparams_/session_start_info", "hparams", sessionStart(leaves, name, Date.parse(created) / 1000));
}

const message = (writer: BinaryWriter, field: number, body: () => void): void => {
  writer.tag(field, WireType.LengthDelimited).fork();
  body();
  writer.join();
};

/** An HParamsPluginData with a SessionStartInfo: hparams 1, group_name 4, start_time_secs 5. */
function sessionStart(leaves: ReturnType<typeof flatSettings>, group: string, seconds: number): Uint8Array {
  const w = new BinaryWriter();
  message(w, 3, () => {
    for (const [key, value] of leaves)
      message(w, 1, () => {
        w.tag(1, WireType.LengthDelimited).string(key);
        // a google.protobuf.Value
        message(w, 2, () => {
          if (typeof value === "number") w.tag(2, WireType.Bit64).double(value);
          else if (typeof value === "boolean") w.tag(4, WireType.Varint).bool(value);
          else w.tag(3, WireType.LengthDelimited).string(value);
        });
      });
    w.tag(4, WireType.LengthDelimited).string(group);
    w.tag(5, WireType.Bit64).double(seconds);
  });
  return w.finish();
}

/** An HParamsPluginData with a SessionEndInfo: status 1 (1: success, 2: failure), end_time_secs 2. */
function sessionEnd(isSuccess: boolean): Uint8Array {
  const w = new BinaryWriter();
  message(w, 4, () => {
    w.tag(1, WireType.Varint).int32(isSuccess ? 1 : 2);
    w.tag(2, WireType.Bit64).double(Date.now() / 1000);
  });
  return w.finish();
}
