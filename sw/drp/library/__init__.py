"""Kernels that come with Sentei."""

from sw.drp.kernel import Kernel
from sw.drp.library import camera, network, vision

__all__ = ["LIBRARY"]

LIBRARY: dict[str, Kernel] = {found.name: found for found in (
    network.quantized_add, network.quantized_mul, network.max_pool(3, 2), network.max_pool(2, 2),
    network.average_pool(2, 2), network.average_pool(3, 1), network.global_mean, network.argmax,
    network.softmax_largest, network.softmax_sum, network.softmax_inverse, network.softmax_scale,
    camera.yuyv_to_rgb, camera.nv12_to_rgb, camera.rgb_to_gray, camera.normalize, camera.nearest,
    camera.resize_gray, camera.bilinear(3), camera.nv12_input,
    vision.box3, vision.gaussian3, vision.sobel, vision.sobel_x, vision.gradient, vision.median3,
    vision.census3, vision.sad3, vision.threshold, vision.harris, vision.maxima3,
    vision.integral_rows, vision.integral_columns)}
