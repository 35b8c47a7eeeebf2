// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

// Package pause waits no longer than a context lasts.
package pause

import (
	"context"
	"time"
)

// For waits, and reports whether ctx has not ended: what follows the pause is to be done.
func For(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil // both may be ready
	}
}
