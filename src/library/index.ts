// What library users call: models that run, fresh students, distillation.

export { type DistillOptions, distill, type LibraryRun, type RecipeSections } from "./distill.ts";
export { initStudent, profile, type StudentOptions, studentConv } from "./student.ts";
