// A controller-runtime controller: it writes into each ConfigMap's annotations how many keys the ConfigMap has.
//
// It says when it has done so, one line a ConfigMap and count, and runs until its standard input ends.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

const annotation = "spec.selvedge.dev/keys"

type counter struct{ client.Client }

func configMap() *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"})
	return object
}

func (c counter) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	object := configMap()
	if err := c.Get(ctx, request.NamespacedName, object); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	data, _, err := unstructured.NestedMap(object.Object, "data")
	if err != nil {
		return ctrl.Result{}, err
	}
	count := strconv.Itoa(len(data))
	if object.GetAnnotations()[annotation] == count {
		return ctrl.Result{}, nil
	}
	patch := client.MergeFrom(object.DeepCopy())
	annotations := object.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[annotation] = count
	object.SetAnnotations(annotations)
	if err := c.Patch(ctx, object, patch); err != nil {
		return ctrl.Result{}, err
	}
	fmt.Printf("counted %s %s\n", request.Name, count)
	return ctrl.Result{}, nil
}

func main() {
	ctrl.SetLogger(logr.Discard())
	config, err := clientcmd.BuildConfigFromFlags("", os.Args[1])
	fail(err)
	manager, err := ctrl.NewManager(config, ctrl.Options{Metrics: server.Options{BindAddress: "0"}})
	fail(err)
	fail(ctrl.NewControllerManagedBy(manager).Named("counter").For(configMap()).Complete(counter{manager.GetClient()}))
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	fail(manager.Start(ctx))
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
