"""Kernels that come with Sentei."""

from sw.drp.kernel import Kernel
from sw.drp.library import camera, corners, network, normalization, vision

__all__ = ["LIBRARY"]

LIBRARY: dict[str, Kernel] = {found.name: found for found in (
    network.quantized_add, network.quantized_mul, network.lookup, network.concat,
    network.transpose, network.max_pool(3, 2), network.max_pool(2, 2),
    network.average_pool(2, 2), network.average_pool(3, 1), network.global_mean,
    network.global_largest, network.depth_mean, network.depth_largest, network.argmax,
    network.top2, network.softmax_largest, network.softmax_sum, network.softmax_inverse,
    network.softmax_scale, normalization.layer_norm_sums, normalization.layer_norm_inverse,
    normalization.layer_norm_scale,
    camera.yuyv_to_rgb, camera.nv12_to_rgb, camera.bayer_to_rgb, camera.rgb_to_gray,
    camera.swap_red_blue, camera.flip_sign, camera.normalize, camera.nearest,
    camera.nearest_channels, camera.resize_gray, camera.bilinear(3), camera.letterbox,
    camera.nv12_input,
    vision.box3, vision.gaussian3, vision.sobel, vision.sobel_x, vision.gradient, vision.median3,
    vision.census3, vision.sad3, vision.stereo_sad, vision.low_byte, vision.threshold,
    vision.harris, vision.maxima3, vision.histogram, vision.orientations, vision.integral_rows,
    vision.integral_columns,
    *corners.KERNELS)}
