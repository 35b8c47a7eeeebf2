// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

package dashboardextension

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reports []string
		h := newHealth(createDefaultConfig().(*Config), func(err error) { reports = append(reports, fmt.Sprint(err)) })
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go h.watch(ctx)
		last := func() string { return append([]string{"none"}, reports...)[len(reports)] }
		every := func(duration time.Duration, do func()) {
			for range duration / (9 * time.Second) {
				do()
				time.Sleep(9 * time.Second)
			}
		}
		time.Sleep(time.Hour)
		assert.Empty(t, reports, "nothing is expected before the first write")

		h.arrived()
		time.Sleep(10 * time.Minute)
		assert.Len(t, reports, 2, "one write that was not stored is trouble for two minutes, and no longer")
		assert.Equal(t, "<nil>", last())

		every(time.Minute, h.arrived)
		assert.Contains(t, last(), "nothing was stored since start, although writes arrive")
		assert.ErrorContains(t, h.trouble(), "although writes arrive")

		every(10*time.Minute, func() { h.arrived(); h.stored() })
		assert.Equal(t, "<nil>", last())
		assert.NoError(t, h.trouble())
		assert.Len(t, reports, 4)

		time.Sleep(80 * time.Second)
		assert.Equal(t, "<nil>", last(), "ten windows may be missing")
		time.Sleep(10 * time.Second)
		assert.Contains(t, last(), ": no writes arrive")
		every(time.Minute, h.arrived)
		assert.Contains(t, last(), "although writes arrive")

		h.arrived()
		h.stored()
		time.Sleep(healthInterval)
		assert.Equal(t, "<nil>", last())
		h.setStore(errors.New("full"))
		assert.Equal(t, "full", last())
		h.setStore(nil)
		assert.Equal(t, "<nil>", last())
	})
}
