/** Colours of the canvas; those of the page around it are in style.css. */
export interface Theme {
  readonly background: string;
  readonly text: string;
  readonly grid: string;
  readonly border: string;
  readonly up: string;
  readonly down: string;
  readonly upVolume: string;
  readonly downVolume: string;
  readonly hollow: string;
  readonly vwap: string;
  readonly revised: string;
  readonly missing: string;
  readonly provisional: string;
}

export const dark: Theme = {
  background: "#0d1117",
  text: "#8b949e",
  grid: "#171c24",
  border: "#262d38",
  up: "#2ebd85",
  down: "#f0616d",
  upVolume: "#2ebd8566",
  downVolume: "#f0616d66",
  hollow: "#0d1117",
  vwap: "#e3b341",
  revised: "#b58bf8",
  missing: "#e3b341",
  provisional: "#2f6fc0",
};

export const light: Theme = {
  background: "#ffffff",
  text: "#57606a",
  grid: "#f0f2f5",
  border: "#d0d7de",
  up: "#0f7c53",
  down: "#d1374b",
  upVolume: "#0f7c5359",
  downVolume: "#d1374b59",
  hollow: "#ffffff",
  vwap: "#9a6700",
  revised: "#7c4ddb",
  missing: "#9a6700",
  provisional: "#0969da",
};
