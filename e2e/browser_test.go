// Copyright The otelcol-ccaas Authors
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// browser is a tab, with all that it has asked for and complained of.
type browser struct {
	t   testing.TB
	ctx context.Context

	mutex      sync.Mutex
	requests   []seen
	complaints []string
}

// seen is a request that the browser has made.
type seen struct {
	url string
	at  time.Time
}

// startBrowser starts one with an empty tab, until the test ends.
func startBrowser(t testing.TB) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	require.NoError(t, err, "make e2e installs it where it can")
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, _ = chromedp.NewContext(ctx)
	b := &browser{t: t, ctx: ctx}
	require.NoError(t, chromedp.Listen(ctx, b.listen))
	t.Cleanup(func() { assert.NoError(t, chromedp.Cancel(ctx)) })
	return b
}

func (b *browser) listen(event any) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, seen{e.Request.URL, time.UnixMilli(int64(e.WallTime * 1000))})
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		b.complaints = append(b.complaints, "exception: "+text)
	case *runtime.EventConsoleAPICalled:
		for _, argument := range e.Args {
			b.complaints = append(b.complaints, fmt.Sprintf("console.%s: %s", e.Type, argument.Value))
		}
	case *log.EventEntryAdded:
		b.complaints = append(b.complaints, fmt.Sprintf("%s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL))
	}
}

// asked are the requests so far for a path.
func (b *browser) asked(path string) (requests []seen) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	for _, request := range b.requests {
		if strings.Contains(request.url, path) {
			requests = append(requests, request)
		}
	}
	return requests
}

func (b *browser) complained() []string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.complaints
}

func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	require.NoError(b.t, chromedp.Do(b.ctx, actions...))
}

// open shows a page, and waits for its first picture.
func (b *browser) open(url string) {
	b.t.Helper()
	b.do(chromedp.Navigate(url))
	b.until(`document.querySelector('main[data-window]') !== null`)
}

// evaluate asks the page for what a JavaScript expression comes to.
func evaluate[T any](b *browser, expression string) T {
	b.t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	require.NoError(b.t, err, expression)
	return value
}

// until waits until an expression is true.
func (b *browser) until(expression string) {
	b.t.Helper()
	eventually(b.t, func() error {
		if !evaluate[bool](b, expression) {
			return fmt.Errorf("the page does not come to %s; it shows:\n%s", expression, evaluate[string](b, `document.body.innerText`))
		}
		return nil
	})
}

// shown is what the numbers on the page are, by name, and the window that they are of.
type shown struct {
	Window  int64              `json:"window"` // its end, unix ms
	Numbers map[string]float64 `json:"numbers"`
}

func (b *browser) shown() shown {
	b.t.Helper()
	return evaluate[shown](b, `({
		window: Number(document.querySelector('main').dataset.window),
		numbers: Object.fromEntries([...document.querySelectorAll('data[data-number]')]
			.filter((number) => number.value !== '').map((number) => [number.dataset.number, Number(number.value)])),
	})`)
}

// choose takes an option of one of the lists.
func (b *browser) choose(list, option string) {
	b.t.Helper()
	evaluate[bool](b, fmt.Sprintf(`(() => {
		const list = document.querySelector('select[name=%q]');
		list.value = %q;
		return list.dispatchEvent(new Event('change', { bubbles: true }));
	})()`, list, option))
}

// press presses the button with a text.
func (b *browser) press(text string) {
	b.t.Helper()
	evaluate[bool](b, fmt.Sprintf(
		`[...document.querySelectorAll('button')].find((button) => button.textContent === %q).click() === undefined`, text))
}
