// What library users call: models that run, fresh students, distillation.

export { profile } from "../models/profile.ts";
export { type DistillOptions, distill, type LibraryRun, type RecipeSections } from "./distill.ts";
export { initStudent, type StudentOptions, studentConv } from "./student.ts";
