// What Vite gives modules beyond TypeScript's: `import.meta.env`, addresses of files by `?worker&url`.
/// <reference types="vite/client" />
