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
	"github.com/stretchr/testify/require"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reports := make(chan string, 100)
		h := newHealth(createDefaultConfig().(*Config), func(err error) { reports <- fmt.Sprint(err) })
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go h.watch(ctx)
		last := "none"
		drain := func() (n int) { // how many reports there were since the last time
			for ; len(reports) > 0; n++ {
				last = <-reports
			}
			return n
		}
		sleep := func(duration time.Duration) {
			time.Sleep(duration)
			synctest.Wait()
		}
		every := func(duration time.Duration, do func()) {
			for range duration / (9 * time.Second) {
				do()
				sleep(9 * time.Second)
			}
		}
		sleep(time.Hour)
		assert.Zero(t, drain(), "nothing is expected before the first write")

		h.arrived()
		sleep(10 * time.Minute)
		assert.Equal(t, 2, drain(), "one write that was not stored is trouble for two minutes, and no longer")
		assert.Equal(t, "<nil>", last)

		every(time.Minute, h.arrived)
		drain()
		assert.Contains(t, last, "nothing was stored since start, although writes arrive")
		require.ErrorContains(t, h.trouble(), "although writes arrive")

		every(10*time.Minute, func() { h.arrived(); h.stored() })
		assert.Equal(t, 1, drain())
		assert.Equal(t, "<nil>", last)
		require.NoError(t, h.trouble())

		sleep(80 * time.Second)
		drain()
		assert.Equal(t, "<nil>", last, "ten windows may be missing")
		sleep(10 * time.Second)
		drain()
		assert.Contains(t, last, ": no writes arrive")
		every(time.Minute, h.arrived)
		drain()
		assert.Contains(t, last, "although writes arrive")

		h.arrived()
		h.stored()
		sleep(healthInterval)
		drain()
		assert.Equal(t, "<nil>", last)
		h.setStore(errors.New("full"))
		drain()
		assert.Equal(t, "full", last)
		h.setStore(nil)
		drain()
		assert.Equal(t, "<nil>", last)
	})
}
