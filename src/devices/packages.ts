// Which Python packages bring a platform's plugin and the libraries it needs: these versions belong together.
import type { XlaPlatform } from "../runtime/device.ts";

export interface PinnedPackage {
  readonly name: string;
  readonly version: string;
}

const pinned = (versions: Readonly<Record<string, string>>): PinnedPackage[] =>
  Object.entries(versions).map(([name, version]) => ({ name, version }));

export interface PlatformPackages {
  readonly packages: readonly PinnedPackage[];
  /** What else must be there, or what nobody has tried. */
  readonly note: string | undefined;
}

export const PACKAGES_OF: Readonly<Record<XlaPlatform, PlatformPackages>> = {
  cpu: { packages: pinned({ "lammps-jax-pjrt-cpu": "0.11.2" }), note: undefined },
  // CUDA 13.4, what jax-cuda13-plugin 0.11.2 asks for: at least 13.0 of each, cuDNN 9.
  cuda: {
    packages: pinned({
      "jax-cuda13-pjrt": "0.11.2",
      "nvidia-cublas": "13.8.0.4",
      "nvidia-cuda-crt": "13.4.92",
      "nvidia-cuda-cupti": "13.4.92",
      "nvidia-cuda-nvcc": "13.4.92",
      "nvidia-cuda-nvrtc": "13.4.92",
      "nvidia-cuda-runtime": "13.4.92",
      "nvidia-cudnn-cu13": "9.26.0.51",
      "nvidia-cufft": "12.4.0.43",
      "nvidia-cusolver": "12.3.4.7",
      "nvidia-cusparse": "12.8.6.72",
      "nvidia-nccl-cu13": "2.31.2",
      "nvidia-nvjitlink": "13.4.92",
      "nvidia-nvshmem-cu13": "3.7.2",
      "nvidia-nvvm": "13.4.92",
    }),
    note: "it needs an NVIDIA driver of version 580 or later",
  },
  rocm: {
    packages: pinned({ "jax-rocm7-pjrt": "0.11.2" }),
    note: "it needs ROCm 7 on the machine; nobody has measured Stillwave on AMD GPUs",
  },
  tpu: { packages: pinned({ libtpu: "0.0.52" }), note: "nobody has measured Stillwave on TPUs" },
};
