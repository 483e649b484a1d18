//! The pages about what is sold: products, the applications that have them, and what was used.

use askama::Template;

use super::{Frame, Made, absent, page};
use crate::api::{Asking, Trouble};
use crate::chart::Days;
use crate::facts::products::{Application, Credential, Plan, Product, Subscription};
use crate::facts::usage::{self, Of, Used};
use crate::facts::{self, Section, Unknown};

/// Group and version of the objects.
const GROUP: &str = "product.selvedge.dev/v1alpha1";

#[derive(Template)]
#[template(path = "products.html")]
struct Products {
    frame: Frame,
    products: Section<Product>,
    plans: Vec<Plan>,
}

/// All products.
pub async fn products(frame: Frame, asking: Asking<'_>) -> Made {
    let products = Section::read(asking, facts::PRODUCTS, Product::of).await?;
    let plans = Section::read(asking, facts::PLANS, Plan::of).await?.items;
    Ok(page(&Products { frame, products, plans }))
}

impl Products {
    fn plans_of<'a>(&'a self, product: &'a Product) -> impl Iterator<Item = &'a Plan> {
        self.plans.iter().filter(|plan| product.has(plan))
    }
}

#[derive(Template)]
#[template(path = "product.html")]
struct OneProduct {
    frame: Frame,
    product: Product,
    plans: Section<Plan>,
    subscriptions: Section<Subscription>,
    days: Section<Used>,
    chart: Days,
}

/// One product.
pub async fn product(frame: Frame, asking: Asking<'_>, namespace: &str, name: &str) -> Made {
    let object = match asking.one(&facts::object(GROUP, "apiproducts", namespace, name)).await {
        Ok(object) => object,
        Err(Trouble::Unknown) => return Err(Unknown),
        Err(Trouble::Denied | Trouble::Absent | Trouble::Failed(_)) => return Ok(absent(frame)),
    };
    let product = Product::of(&object);
    let mut plans = Section::read(asking, facts::PLANS, Plan::of).await?;
    plans.items.retain(|plan| product.has(plan));
    let place = product.meta.place();
    let mut subscriptions = Section::read(asking, facts::SUBSCRIPTIONS, Subscription::of).await?;
    subscriptions.items.retain(|subscription| subscription.product == place);
    let days = usage::read(asking, Of::Product(&place), "day").await?;
    let chart = Days::of(&days.items);
    Ok(page(&OneProduct { frame, product, plans, subscriptions, days, chart }))
}

#[derive(Template)]
#[template(path = "applications.html")]
struct Applications {
    frame: Frame,
    applications: Section<Application>,
    subscriptions: Vec<Subscription>,
}

/// All applications.
pub async fn applications(frame: Frame, asking: Asking<'_>) -> Made {
    let applications = Section::read(asking, facts::APPLICATIONS, Application::of).await?;
    let subscriptions = Section::read(asking, facts::SUBSCRIPTIONS, Subscription::of).await?.items;
    Ok(page(&Applications { frame, applications, subscriptions }))
}

impl Applications {
    fn of<'a>(&'a self, application: &'a Application) -> impl Iterator<Item = &'a Subscription> {
        let meta = &application.meta;
        let is_its =
            |one: &&Subscription| one.meta.namespace == meta.namespace && one.application == meta.name;
        self.subscriptions.iter().filter(is_its)
    }
}

#[derive(Template)]
#[template(path = "application.html")]
struct OneApplication {
    frame: Frame,
    application: Application,
    subscriptions: Section<Subscription>,
    credentials: Section<Credential>,
    operations: Section<Used>,
    chart: Days,
}

/// One application.
pub async fn application(frame: Frame, asking: Asking<'_>, namespace: &str, name: &str) -> Made {
    let object = match asking.one(&facts::object(GROUP, "applications", namespace, name)).await {
        Ok(object) => object,
        Err(Trouble::Unknown) => return Err(Unknown),
        Err(Trouble::Denied | Trouble::Absent | Trouble::Failed(_)) => return Ok(absent(frame)),
    };
    let application = Application::of(&object);
    let within = |path: &str| facts::within(path, namespace);
    let mut subscriptions = Section::read(asking, &within(facts::SUBSCRIPTIONS), Subscription::of).await?;
    subscriptions.items.retain(|one| one.application == name);
    let mut credentials = Section::read(asking, &within(facts::CREDENTIALS), Credential::of).await?;
    credentials.items.retain(|one| one.application == name);
    let place = application.meta.place();
    let operations = usage::read(asking, Of::Application(&place), "application,operation").await?;
    let chart = Days::of(&usage::read(asking, Of::Application(&place), "day").await?.items);
    Ok(page(&OneApplication { frame, application, subscriptions, credentials, operations, chart }))
}

#[derive(Template)]
#[template(path = "usage.html")]
struct Usage {
    frame: Frame,
    operations: Section<Used>,
    chart: Days,
}

/// What was used by everybody.
pub async fn used(frame: Frame, asking: Asking<'_>) -> Made {
    let operations = usage::read(asking, Of::All, "application,operation").await?;
    let chart = Days::of(&usage::read(asking, Of::All, "day").await?.items);
    Ok(page(&Usage { frame, operations, chart }))
}
