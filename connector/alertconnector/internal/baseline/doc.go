// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package baseline keeps what was usual for one series: a quantile over a rolling
// lookback, in sketches by the hour.
//
// Values go into DDSketches, whose quantile is right within a relative error. An
// hour that is over is kept as a short list of bins; when an hour begins, the
// sketch of the whole lookback is put together anew, so that what is older than the
// lookback is gone.
package baseline
