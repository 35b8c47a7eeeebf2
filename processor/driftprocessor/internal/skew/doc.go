// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package skew measures how far a platform's clock is from ours, from nothing
// but the lag of its events: our time of arrival less the platform's time.
//
// A lag is the delay on the way, which is never negative and now and then small,
// less the platform's offset. So the lowest lags show the offset and the others
// the delay, as in the clock filter of NTP (RFC 5905, section 10). Here there is
// no request and no answer, only one direction; what stands in their place:
//
//   - second: the lowest lag of the events of one second.
//   - plateau: a lag that most of the latest seconds agree on. A clock stands
//     still to within 500 ppm of another, a delay that comes and goes or a replay that
//     catches up does not. No level is believed before it has been a plateau, be
//     it the first one or, after a step, the next.
//   - Estimator: the level of one stream: the envelope of its lowest lags, with
//     an error and a drift rate.
//   - Episode: whether an offset is beyond a limit, with hysteresis.
//   - Watch: whose clock is wrong, and for how long it has been ours.
//
// The package is pure: time is an argument, the time since any one moment by a
// clock that does not jump, and nothing here starts a goroutine or takes a lock.
package skew
