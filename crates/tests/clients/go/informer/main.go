// A client-go informer that tells what it sees, one line an event, until its standard input ends.
//
// It looks at services with the typed clients' shared informers, as controllers do, and at HTTPRoutes with dynamic ones.
package main

import (
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	config, err := clientcmd.BuildConfigFromFlags("", os.Args[1])
	fail(err)
	client, err := dynamic.NewForConfig(config)
	fail(err)
	routes := schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"}
	factory := dynamicinformer.NewDynamicSharedInformerFactory(client, 0)
	informer := factory.ForResource(routes).Informer()
	_, err = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { tell("added", object) },
		UpdateFunc: func(before, after any) { tellChange(before, after) },
		DeleteFunc: func(object any) { tell("deleted", object) },
	})
	fail(err)
	stop := make(chan struct{})
	factory.Start(stop)
	if !cache.WaitForCacheSync(stop, informer.HasSynced) {
		fail(fmt.Errorf("the cache did not sync"))
	}
	fmt.Printf("synced %d\n", len(informer.GetStore().List()))
	_, _ = io.Copy(io.Discard, os.Stdin)
	close(stop)
}

func tellChange(before, after any) {
	// Whoever lists again after a broken watch is told of objects that did not change.
	if before.(*unstructured.Unstructured).GetResourceVersion() != after.(*unstructured.Unstructured).GetResourceVersion() {
		tell("changed", after)
	}
}

func tell(what string, object any) {
	if gone, unknown := object.(cache.DeletedFinalStateUnknown); unknown {
		object = gone.Obj
	}
	fmt.Printf("%s %s\n", what, object.(*unstructured.Unstructured).GetName())
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
