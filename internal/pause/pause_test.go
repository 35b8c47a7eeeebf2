// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package pause_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-ccaas/otelcol-ccaas/internal/pause"
)

func TestFor(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		wait, end time.Duration // of the pause, of the context
		over      bool
		took      time.Duration
	}{
		"the pause is over first":   {wait: time.Second, end: time.Minute, over: true, took: time.Second},
		"the context is over first": {wait: time.Minute, end: time.Second, took: time.Second},
		"no pause":                  {wait: -time.Second, end: time.Second, over: true},
		"no context any more":       {wait: 0, end: 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), test.end)
				defer cancel()
				begun := time.Now()
				assert.Equal(t, test.over, pause.For(ctx, test.wait))
				assert.Equal(t, test.took, time.Since(begun))
			})
		})
	}
}
