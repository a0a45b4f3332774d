// The emoji most often typed by name; any other name stays as written.

const BY_NAME = {
  "+1": "👍", "-1": "👎", 100: "💯", alarm_clock: "⏰", angry: "😠", arrow_down: "⬇️", arrow_left: "⬅️",
  arrow_right: "➡️", arrow_up: "⬆️", bell: "🔔", blue_heart: "💙", blush: "😊", boom: "💥", bug: "🐛", bulb: "💡",
  chart_with_upwards_trend: "📈", clap: "👏", coffee: "☕", cry: "😢", eyes: "👀", fire: "🔥", grin: "😁",
  green_heart: "💚", grinning: "😀", handshake: "🤝", heart: "❤️", heavy_check_mark: "✔️", hourglass: "⌛",
  hourglass_flowing_sand: "⏳", information_source: "ℹ️", joy: "😂", key: "🔑", large_blue_circle: "🔵",
  large_green_circle: "🟢", large_orange_circle: "🟠", large_yellow_circle: "🟡", link: "🔗", lock: "🔒",
  loudspeaker: "📢", mag: "🔍", memo: "📝", no_entry: "⛔", no_entry_sign: "🚫", ok_hand: "👌", package: "📦",
  party_popper: "🎉", pray: "🙏", question: "❓", raised_hands: "🙌", red_circle: "🔴", robot_face: "🤖",
  rocket: "🚀", rotating_light: "🚨", shield: "🛡️", shrug: "🤷", slightly_smiling_face: "🙂", smile: "😄",
  sob: "😭", sparkles: "✨", star: "⭐", stopwatch: "⏱️", sunglasses: "😎", tada: "🎉", thinking_face: "🤔",
  thumbsdown: "👎", thumbsup: "👍", unlock: "🔓", wave: "👋", warning: "⚠️", white_check_mark: "✅", wrench: "🔧",
  x: "❌", zap: "⚡",
};

export const emoji = (name) => (Object.hasOwn(BY_NAME, name) ? BY_NAME[name] : null);

// Turns the `:names:` in plain text into emoji.
export const withEmoji = (text) => text.replace(/:([a-z0-9_+'-]+):/g, (written, name) => emoji(name) ?? written);
